"""Reads that lag: what was just made or let go is not shown yet, and the providers never take that for an answer."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.server import Presence
from gpudev_sdk.errors import TryLater
from gpudev_sdk.testing.cloud import Span, Weather
from tests.unit.testing.sky import Place, server_id, snapshot_spec, volume_spec

LAG = Span.seconds(10, 10)


def test_a_volume_that_was_just_made_is_unknown_and_then_present():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    volume = place.volume()

    place.pass_by(9)
    assert place.another_process().storage.get_volume(volume).presence == "unknown"
    place.pass_by(1)
    assert place.another_process().storage.get_volume(volume).presence == "present"


def test_a_volume_is_absent_only_after_two_reads_further_apart_than_the_lag():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    volume = place.volume()
    place.pass_by(60)
    place.storage.delete_volume(volume)
    place.pass_by(11)

    seen = []
    for _ in range(11):
        seen.append(place.storage.get_volume(volume).presence)
        place.pass_by(1)

    assert seen == ["unknown"] * 10 + ["absent"]


def test_two_reads_that_are_not_of_one_question_prove_nothing():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    nothing = place.volume()
    place.storage.delete_volume(nothing)
    assert place.storage.get_volume(nothing).presence == "unknown"

    place.pass_by(600)

    assert place.storage.get_volume(nothing).presence == "unknown"


def test_a_read_that_shows_it_ends_the_doubt():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    volume = place.volume()
    assert place.storage.get_volume(volume).presence == "unknown"
    place.pass_by(10)
    assert place.storage.get_volume(volume).presence == "present"
    place.storage.delete_volume(volume)
    place.pass_by(10)

    assert place.storage.get_volume(volume).presence == "unknown"


def test_that_nothing_has_a_volume_is_believed_only_when_two_reads_agree():
    place = Place.under(lag=LAG)
    volume = place.volume()
    place.pass_by(60)
    box = place.on(volume)

    assert place.storage.get_volume(volume).attachments is None
    place.pass_by(10)
    assert place.storage.get_volume(volume).attachments == (str(box.server_id),)

    place.compute.terminate(box.server_id)
    place.pass_by(10)
    assert place.storage.get_volume(volume).attachments is None
    place.pass_by(10)
    assert place.storage.get_volume(volume).attachments == ()


def test_what_a_stale_list_lacks_is_unknown_and_not_missing():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    volume = place.volume()

    assert [(s.volume_id, s.presence) for s in place.storage.list_volumes()] == [(volume.volume_id, "unknown")]
    place.pass_by(10)
    assert [(s.volume_id, s.presence) for s in place.storage.list_volumes()] == [(volume.volume_id, "present")]


def test_what_is_gone_leaves_the_list_after_two_reads():
    place = Place.under(lag=LAG)
    volume = place.volume()
    place.pass_by(60)
    assert len(place.storage.list_volumes()) == 1
    place.storage.delete_volume(volume)

    place.pass_by(10)
    assert [seen.presence for seen in place.storage.list_volumes()] == ["unknown"]
    place.pass_by(10)
    assert place.storage.list_volumes() == ()


def test_a_snapshot_that_was_just_begun_is_unknown_alone_and_in_the_list():
    place = Place.under(lag=LAG)
    volume = place.volume()
    place.pass_by(60)
    snapshot = place.snapshot(volume)

    assert place.storage.get_snapshot(snapshot).presence == "unknown"
    assert [seen.presence for seen in place.storage.list_snapshots()] == ["unknown"]
    place.pass_by(10)
    assert place.storage.get_snapshot(snapshot).presence == "present"


def test_a_mount_waits_for_a_volume_that_is_not_shown_yet():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    volume = place.volume()

    with pytest.raises(TryLater):
        place.storage.mount(volume)
    place.pass_by(10)
    assert place.storage.mount(volume).volume_id == volume.volume_id


def test_a_server_that_was_just_launched_is_unknown_and_listed():
    place = Place.under(server_lag=LAG)
    place.pass_by(60)
    box = place.box()

    assert place.compute.observe(box.server_id).presence is Presence.UNKNOWN
    place.pass_by(10)
    assert place.compute.observe(box.server_id).presence is Presence.PRESENT
    place.compute.terminate(box.server_id)
    place.pass_by(10)
    assert place.compute.list_servers() == (box.server_id,)
    place.pass_by(10)
    assert place.compute.list_servers() == ()


def test_a_server_never_launched_is_absent_after_two_reads():
    place = Place.under(server_lag=LAG)

    assert place.compute.observe(server_id()).presence is Presence.UNKNOWN
    place.pass_by(10)
    assert place.compute.observe(server_id()).presence is Presence.ABSENT


def test_creating_again_finds_the_first_result_however_stale_the_reads_are():
    place = Place.under(lag=LAG)
    place.pass_by(60)
    first = place.storage.create_volume(volume_spec())

    assert place.another_process().storage.create_volume(volume_spec()) == first
    assert len(place.cloud.volumes()) == 1


def test_a_snapshot_asked_for_by_two_processes_is_taken_once_where_the_cloud_knows_no_token():
    place = Place.under(lag=LAG, doubled_snapshots=True)
    volume = place.volume()
    place.pass_by(60)
    spec = snapshot_spec(volume)
    with pytest.raises(TryLater):
        place.storage.create_snapshot(spec)
    place.pass_by(10)
    first = place.storage.create_snapshot(spec)

    fresh = place.another_process().storage
    with pytest.raises(TryLater):
        fresh.create_snapshot(spec)
    place.pass_by(10)

    assert fresh.create_snapshot(spec) == first
    assert len(place.cloud.snapshots()) == 1


def test_doubled_snapshots_count_as_one_and_are_deleted_together():
    place = Place.under(doubled_snapshots=True, snapshot=Span.seconds(5, 5))
    volume = place.volume()
    for _ in range(2):
        place.cloud.shelf.take_snapshot(place.cloud.volumes()[0].install_id, snapshot_spec(volume))
    place.pass_by(5)

    assert len(place.cloud.snapshots()) == 2
    (seen,) = place.storage.list_snapshots()
    assert seen.handle == min(snapshot.handle for snapshot in place.cloud.snapshots())

    place.storage.delete_snapshot(place.snapshot(volume))
    assert place.cloud.snapshots() == ()


def test_the_lag_is_drawn_for_each_read_and_ends_when_it_clears_up():
    place = Place.under(lag=Span.seconds(0, 10))
    place.pass_by(60)
    volume = place.volume()
    place.pass_by(5)

    seen = {place.another_process().storage.get_volume(volume).presence for _ in range(50)}
    assert seen == {"unknown", "present"}
    assert place.cloud.faults["stale"] >= 40

    place.cloud.clear_up()
    assert place.another_process().storage.get_volume(volume).presence == "present"


def test_a_lag_longer_than_the_cloud_remembers_is_refused():
    with pytest.raises(ValueError, match="remembers"):
        Weather(lag=Span(dt.timedelta(), dt.timedelta(hours=1)))
