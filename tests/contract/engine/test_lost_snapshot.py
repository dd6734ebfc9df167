"""A snapshot that somebody else deleted makes no volume deletable: it is looked for before the volume goes."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.errors import TryLater


@pytest.fixture
def idle(bench, kim):
    """A disk whose reservation is over, whose volume may go at once, and whose snapshot is complete."""
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    assert bench.row(made).state is State.ENDED
    return bench.disk(kim, "home")


def test_a_volume_goes_when_its_snapshot_is_seen(bench, idle):
    bench.disk_work(idle["id"])
    assert bench.memory.volumes == {}
    assert len(bench.memory.snapshots) == 1


def test_a_volume_stays_when_its_snapshot_was_deleted_by_somebody_else(bench, idle):
    bench.memory.snapshots.clear()
    bench.disk_work(idle["id"])
    assert list(bench.memory.volumes) == [idle["volume_id"]]
    assert "deleted by somebody else" in bench.sql("SELECT needs_attention FROM disk")[0]["needs_attention"]
    assert bench.sql("SELECT state FROM snapshot")[0]["state"] == "error"


def test_a_volume_stays_while_it_cannot_be_told(bench, idle, monkeypatch):
    def blind(snapshot):
        raise TryLater("the line is cut")

    monkeypatch.setattr(bench.engine.backends["mem"].storage, "get_snapshot", blind)
    bench.disk_work(idle["id"])
    assert list(bench.memory.volumes) == [idle["volume_id"]]
    assert bench.sql("SELECT state FROM volume")[0]["state"] == "ready"


def test_a_marked_volume_stays_when_its_snapshot_is_lost_before_it_goes(bench, idle, monkeypatch):
    storage = bench.engine.backends["mem"].storage
    look = storage.get_snapshot

    def lost_after_the_first_look(snapshot):
        seen = look(snapshot)
        bench.memory.snapshots.clear()
        return seen

    monkeypatch.setattr(storage, "get_snapshot", lost_after_the_first_look)
    bench.disk_work(idle["id"])
    assert list(bench.memory.volumes) == [idle["volume_id"]]
    assert bench.sql("SELECT state FROM volume")[0]["state"] == "deleting"
    assert "deleted by somebody else" in bench.sql("SELECT needs_attention FROM disk")[0]["needs_attention"]


def test_the_disk_of_a_lost_snapshot_still_mounts_its_volume(bench, kim, idle):
    bench.memory.snapshots.clear()
    bench.disk_work(idle["id"])
    again = bench.submit(kim, disk="home")
    bench.work(again)
    assert bench.row(again).state is State.ACTIVE
    assert bench.row(again).volume_id == idle["volume_id"]


@pytest.mark.parametrize("stale", [SnapshotState.PENDING, SnapshotState.ERROR])
def test_a_snapshot_that_an_old_view_shows_on_its_way_is_not_taken_for_deleted(bench, idle, stale):
    taken = next(iter(bench.memory.snapshots))
    bench.memory.snapshots[taken] = stale
    bench.disk_work(idle["id"])
    assert list(bench.memory.volumes) == [idle["volume_id"]]
    assert bench.sql("SELECT state FROM snapshot") == [{"state": "completed"}]
    assert bench.sql("SELECT needs_attention FROM disk") == [{"needs_attention": None}]

    bench.memory.snapshots[taken] = SnapshotState.COMPLETED
    bench.disk_work(idle["id"])
    assert bench.memory.volumes == {}
