"""Volumes and snapshots of the simulated cloud: content, and who lost it."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotState, VolumeRef
from gpudev_sdk.errors import Conflict, NoCapacity, SnapshotsOff, TryLater, Unworkable
from gpudev_sdk.testing.cloud import SimulatedSettings, SimulatedStorage, Span
from tests.unit.testing.sky import CONTEXT, Place, snapshot_spec, volume_spec


def written(place, *markers):
    """Return a volume on which a box, which is gone now, wrote."""
    volume = place.volume()
    spec = place.on(volume)
    for marker in markers:
        place.cloud.write(spec.server_id, marker)
    place.compute.terminate(spec.server_id)
    return volume


def restored(place, snapshot, number=2):
    spec = volume_spec(number)
    place.storage.create_volume_from_snapshot(spec, snapshot)
    return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)


def test_a_snapshot_has_what_was_there_when_it_was_asked_for():
    place = Place.under(snapshot=Span.seconds(60, 60))
    volume = place.volume()
    box = place.on(volume)
    place.cloud.write(box.server_id, "one")
    snapshot = place.snapshot(volume)
    place.cloud.write(box.server_id, "two")

    place.pass_by(60)

    assert place.content(restored(place, snapshot)) == ("one",)
    assert place.content(volume) == ("one", "two")


def test_a_snapshot_is_pending_and_then_completed():
    place = Place.under(snapshot=Span.seconds(60, 60))
    snapshot = place.snapshot(written(place, "one"))

    place.pass_by(59)
    assert place.storage.get_snapshot(snapshot).state is SnapshotState.PENDING
    with pytest.raises(TryLater):
        restored(place, snapshot)

    place.pass_by(1)
    seen = place.storage.get_snapshot(snapshot)
    assert (seen.state, seen.completed_at) == (SnapshotState.COMPLETED, place.cloud.clock.now)


def test_a_snapshot_may_fail_after_a_while_and_nothing_is_restored_from_it():
    place = Place.under(snapshot=Span.seconds(60, 60), snapshot_error=1.0)
    snapshot = place.snapshot(written(place, "one"))
    assert place.storage.get_snapshot(snapshot).state is SnapshotState.PENDING

    place.pass_by(60)

    seen = place.storage.get_snapshot(snapshot)
    assert (seen.presence, seen.state, bool(seen.reason)) == ("present", SnapshotState.ERROR, True)
    with pytest.raises(Unworkable):
        restored(place, snapshot)
    assert len(place.cloud.volumes()) == 1


def test_a_foreign_copy_is_never_seen_listed_counted_or_restored():
    place = Place.under(snapshot_error=1.0)
    snapshot = place.snapshot(written(place, "one"))
    copy = place.cloud.copy_foreign(snapshot.snapshot_id)

    assert (copy.state, copy.content) == (SnapshotState.COMPLETED, ("foreign",))
    assert place.storage.get_snapshot(snapshot).state is SnapshotState.ERROR
    assert [seen.state for seen in place.storage.list_snapshots()] == [SnapshotState.ERROR]
    with pytest.raises(Unworkable):
        restored(place, snapshot)

    place.storage.delete_snapshot(snapshot)
    assert place.storage.get_snapshot(snapshot).presence == "absent"
    assert [kept.foreign for kept in place.cloud.snapshots()] == [True]


def test_a_foreign_copy_does_not_save_a_volume():
    place = Place.under(snapshot_error=1.0)
    volume = written(place, "one")
    place.cloud.copy_foreign(place.snapshot(volume).snapshot_id)

    place.storage.delete_volume(volume)

    assert [(d.content, d.saved) for d in place.cloud.deletions] == [(("one",), False)]


@pytest.mark.parametrize(("later", "saved"), [(False, True), (True, False)])
def test_a_deletion_says_whether_all_content_was_saved(later, saved):
    place = Place.under()
    volume = written(place, "one")
    place.snapshot(volume)
    if later:
        box = place.on(volume, 2)
        place.cloud.write(box.server_id, "two")
        place.compute.terminate(box.server_id)

    place.storage.delete_volume(volume)

    assert [(d.volume_id, d.disk_id, d.saved) for d in place.cloud.deletions] == [
        (volume.volume_id, volume.disk_id, saved)
    ]


def test_a_pending_snapshot_saves_nothing_and_an_empty_volume_needs_no_saving():
    place = Place.under(snapshot=Span.seconds(60, 60))
    full, empty = written(place, "one"), place.volume(2)
    place.snapshot(full)

    place.storage.delete_volume(full)
    place.storage.delete_volume(empty)

    assert [d.saved for d in place.cloud.deletions] == [False, True]


def test_a_deleted_snapshot_says_whether_it_was_the_newest():
    place = Place.under()
    volume = written(place, "one")
    first = place.snapshot(volume, 1)
    place.pass_by(1)
    second = place.snapshot(volume, 2)

    place.storage.delete_snapshot(first)
    place.storage.delete_snapshot(second)

    assert [d.newest for d in place.cloud.snapshot_deletions] == [False, True]


def test_an_attachment_is_shown_for_a_while_after_its_server_is_gone():
    place = Place.under(detach=Span.seconds(30, 30))
    volume = place.volume()
    box = place.on(volume)
    place.compute.terminate(box.server_id)

    place.pass_by(29)
    assert place.cloud.servers() == ()
    assert place.storage.get_volume(volume).attachments == (str(box.server_id),)
    with pytest.raises(Conflict):
        place.storage.delete_volume(volume)

    place.pass_by(1)
    assert place.storage.get_volume(volume).attachments == ()
    place.storage.delete_volume(volume)


def test_a_volume_takes_time_to_be_made_and_a_box_waits_for_it():
    place = Place.under(volume=Span.seconds(20, 20))
    volume = place.volume()
    box = place.on(volume)

    place.pass_by(19)
    assert not place.storage.get_volume(volume).ready
    assert place.cloud.mounts == []

    place.pass_by(1)
    assert place.storage.get_volume(volume).ready
    assert [seen.server_id for seen in place.cloud.mounts] == [box.server_id]


def test_a_volume_needs_a_node_that_there_is():
    place = Place.under()

    with pytest.raises(NoCapacity):
        place.storage.create_volume(attrs.evolve(volume_spec(), node="nowhere"))
    assert place.cloud.volumes() == ()


def test_a_snapshot_of_another_disk_is_not_restored():
    place = Place.under()
    snapshot = place.snapshot(written(place, "one"))

    with pytest.raises(Unworkable):
        restored(place, attrs.evolve(snapshot, disk_id=uuid.UUID(int=10)))


def test_where_snapshots_are_off_the_reason_is_said():
    place = Place.under()
    off = SimulatedStorage(SimulatedSettings(cloud=place.cloud, snapshots_off="no room"), CONTEXT)

    with pytest.raises(SnapshotsOff, match="no room"):
        off.create_snapshot(snapshot_spec(place.volume()))


def test_a_content_is_the_markers_in_the_order_in_which_they_were_written():
    place = Place.under()
    volume = written(place, "one", "two")
    box = place.on(volume, 2)
    place.cloud.write(box.server_id, "three")

    assert place.content(volume) == ("one", "two", "three")
    assert [seen.content for seen in place.cloud.mounts] == [(), ("one", "two")]


def test_a_snapshot_that_somebody_else_deleted_is_gone_and_not_put_down_to_us():
    place = Place.under()
    snapshot = place.snapshot(written(place, "one"))
    place.cloud.lose_snapshot(snapshot.snapshot_id)

    assert place.storage.get_snapshot(snapshot).presence == "absent"
    assert place.cloud.snapshot_deletions == []
    with pytest.raises(Unworkable):
        restored(place, snapshot)
