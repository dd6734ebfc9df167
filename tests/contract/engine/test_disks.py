"""A disk over several lives: each end has a snapshot of its own, and what comes up is what the last end left."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import disk_edits
from gpudev_sdk.errors import Conflict, NoCapacity
from gpudev_sdk.store import disks


@pytest.fixture
def live(bench, kim):
    """Have the disk live through one reservation, and return that."""

    def once():
        made = bench.submit(kim, disk="home")
        bench.work(made)
        assert bench.row(made).state is State.ACTIVE
        bench.cancel(kim, made)
        bench.work(made)
        assert bench.row(made).state is State.ENDED
        return bench.row(made)

    return once


@pytest.fixture
def put_away(bench, kim):
    """Have the disk's volume go, as when it was not used for long."""

    def once():
        bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()
        bench.disk_work(bench.disk(kim, "home")["id"])
        assert bench.memory.volumes == {}

    return once


def test_each_end_takes_a_snapshot_of_its_own(bench, live):
    first, second = live(), live()
    assert first.volume_id == second.volume_id
    assert first.end_snapshot_id != second.end_snapshot_id
    assert set(bench.memory.snapshots) == {first.end_snapshot_id, second.end_snapshot_id}


def test_a_disk_that_was_put_away_comes_up_from_its_last_end(bench, live, put_away):
    live()
    last = live()
    put_away()
    assert len(bench.memory.snapshots) == 2
    again = live()
    assert again.volume_id != last.volume_id
    assert bench.memory.volumes == {again.volume_id: f"from {last.end_snapshot_id}"}


def test_a_disk_whose_last_snapshot_is_gone_never_comes_up_empty_or_older(bench, kim, live, put_away):
    live()
    last = live()
    put_away()
    del bench.memory.snapshots[last.end_snapshot_id]
    launches = len(bench.memory.launches)
    made = bench.submit(kim, disk="home")
    bench.work(made)
    assert len(bench.memory.launches) == launches
    assert "empty" not in bench.memory.volumes.values()


def test_a_snapshot_that_was_begun_is_asked_for_by_what_the_cloud_calls_it(bench, live, monkeypatch):
    """A cloud that shows new things late would else have it begun a second time, by another process."""
    storage, asked = bench.engine.backends["mem"].storage, []
    look = storage.get_snapshot

    def noted(snapshot):
        asked.append(snapshot.handle)
        return look(snapshot)

    monkeypatch.setattr(storage, "get_snapshot", noted)
    live()

    assert asked
    assert None not in asked


def test_a_snapshot_that_failed_lets_no_volume_go(bench, kim, live):
    bench.memory.snapshot_state = SnapshotState.ERROR
    ended = live()
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()
    bench.disk_work(bench.disk(kim, "home")["id"])
    assert list(bench.memory.volumes) == [ended.volume_id]


def test_a_new_disk_has_nothing_of_the_deleted_one_whose_name_it_took(bench, kim, live):
    first = live()
    disk_edits.delete(bench.engine, kim, "home")
    second = live()
    assert second.disk_id != first.disk_id
    assert bench.memory.volumes[second.volume_id] == "empty"
    with bench.engine.store.transaction() as conn:
        kept = {
            disk: [found["id"] for found in disks.snapshots_of(conn, disk)] for disk in (first.disk_id, second.disk_id)
        }
    assert kept == {first.disk_id: [first.end_snapshot_id], second.disk_id: [second.end_snapshot_id]}


def test_every_attempt_brings_up_the_disk(bench, kim):
    bench.memory.launch_errors.append(NoCapacity("the machine is full"))
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.sql("UPDATE reservation SET retry_at = NULL")
    bench.sql("UPDATE planner SET wanted = wanted + 1")
    bench.work(made)
    row = bench.row(made)
    assert (row.state, row.attempt) == (State.ACTIVE, 2)
    assert bench.memory.launches[-1].mount.volume_id == row.volume_id


def test_who_waited_for_a_disk_and_gave_up_does_not_let_it_go(bench, kim):
    bench.memory.snapshot_state = SnapshotState.PENDING
    holder = bench.submit(kim, disk="home")
    bench.work(holder)
    bench.cancel(kim, holder)
    bench.work(holder)
    waiting = bench.submit(kim, disk="home")
    bench.work(holder, waiting)
    assert (bench.row(holder).state, bench.row(waiting).state) == (State.STOPPING, State.QUEUED)
    bench.cancel(kim, waiting)
    bench.work(waiting)
    assert bench.row(waiting).state is State.ENDED
    assert bench.sql("SELECT reservation_id FROM disk_lease WHERE released_at IS NULL") == [{"reservation_id": holder}]


def test_a_disk_that_is_had_back_is_looked_at_once_more(bench, kim, live):
    live()
    disk_edits.snapshot(bench.engine, kim, "home")
    disk_edits.delete(bench.engine, kim, "home")
    disk_edits.undelete(bench.engine, kim, "home")
    while bench.processor.sweep():
        pass
    assert "intended" not in {row["state"] for row in bench.sql("SELECT state FROM snapshot")}


def test_a_disk_whose_volume_was_never_made_gives_no_snapshot(bench, kim, live, put_away):
    live()
    put_away()
    bench.memory.snapshots.clear()
    failed = bench.submit(kim, disk="home")
    bench.work(failed)
    assert bench.row(failed).state is State.ENDED
    with pytest.raises(Conflict, match="no volume now"):
        disk_edits.snapshot(bench.engine, kim, "home")
    assert bench.sql("SELECT count(*) AS n FROM snapshot WHERE reason = 'asked'") == [{"n": 0}]


def test_a_snapshot_that_can_never_be_taken_keeps_the_disk_from_nothing_else(bench, kim, live):
    row = live()
    disk_edits.snapshot(bench.engine, kim, "home")
    del bench.memory.volumes[row.volume_id]
    bench.disk_work(row.disk_id)
    assert bench.sql("SELECT state, trouble FROM snapshot WHERE reason = 'asked'") == [
        {"state": "error", "trouble": "there is no such volume"}
    ]
    disk_edits.delete(bench.engine, kim, "home")
    bench.sql("UPDATE disk SET purge_at = gpudev_now()")
    bench.disk_work(row.disk_id)
    assert bench.sql("SELECT purged_at IS NOT NULL AS purged FROM disk") == [{"purged": True}]
