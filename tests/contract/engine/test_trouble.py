"""What goes wrong in a way that nobody foresaw is put off, said, and tried again."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import disk_work, processor
from gpudev_sdk.engine.disk_decide import DiskRest
from gpudev_sdk.engine.steps import NoteEndpoint
from gpudev_sdk.errors import Conflict, NoCapacity, TryLater, Unworkable
from gpudev_sdk.fault import SimulatedCrash


@pytest.mark.parametrize("error", [RuntimeError("canary-4711"), KeyError("x")])
def test_a_row_whose_work_failed_is_taken_up_again(bench, kim, error):
    bench.memory.launch_errors.append(error)
    made = bench.submit(kim)
    bench.plan()
    bench.processor.handle("reservation", made)
    row = bench.sql("SELECT state, detail, wake_at - gpudev_now() AS delay, lease_holder FROM reservation")[0]
    assert (row["state"], row["lease_holder"]) == ("preparing", None)
    assert row["detail"] == "an unexpected error; it is tried again"
    assert dt.timedelta() < row["delay"] <= dt.timedelta(seconds=5)

    bench.sql("UPDATE reservation SET wake_at = gpudev_now()")
    while bench.processor.sweep():
        pass
    bench.work(made)
    assert bench.row(made).state is State.ACTIVE


def test_a_box_that_ends_only_by_a_persons_hand_is_asked_now_and_then_and_ends_by_itself_after_that(bench, kim):
    made = bench.submit(kim)
    bench.work(made)
    bench.memory.stubborn = True
    bench.cancel(kim, made)
    bench.work(made)
    bench.sql("UPDATE reservation SET state_deadline = gpudev_now() WHERE id = %s", made)
    bench.work(made)
    waits = bench.sql("SELECT needs_attention, wake_at - gpudev_now() AS delay FROM reservation")[0]
    assert waits["needs_attention"].startswith("stopping for more than 15 min")
    assert dt.timedelta(seconds=4) < waits["delay"] <= dt.timedelta(seconds=5)

    bench.memory.stubborn = False
    bench.work(made)
    assert bench.row(made).state is State.ENDED


def test_a_disk_whose_work_failed_is_taken_up_again(bench, kim, monkeypatch):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    storage = bench.engine.backends["mem"].storage
    storage.keep_volumes = dt.timedelta()

    def broken(volume):
        raise RuntimeError("canary-4711")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete_volume", broken)
        bench.disk_work(bench.disk(kim, "home")["id"])
    assert len(bench.memory.volumes) == 1
    bench.sql("UPDATE disk SET wake_at = gpudev_now() WHERE wake_at IS NOT NULL")
    while bench.processor.sweep():
        pass
    assert bench.memory.volumes == {}


@pytest.mark.parametrize(
    "passing", [NoCapacity("the account's snapshots are used up"), Conflict("it is attached still")]
)
def test_a_disk_that_is_refused_for_now_waits_and_loses_nothing(bench, kim, monkeypatch, passing):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    storage = bench.engine.backends["mem"].storage
    storage.keep_volumes = dt.timedelta()

    def refuse(volume):
        raise passing

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete_volume", refuse)
        bench.disk_work(bench.disk(kim, "home")["id"])
    waits = bench.sql("SELECT wake_at - gpudev_now() AS waits FROM disk")[0]["waits"]
    assert len(bench.memory.volumes) == 1
    assert dt.timedelta(seconds=50) < waits <= disk_work.CROWDED


def test_a_disk_that_somebody_locked_waits_for_a_person_and_says_so_until_it_is_done(bench, kim, monkeypatch):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    storage = bench.engine.backends["mem"].storage
    storage.keep_volumes = dt.timedelta()
    disk = bench.disk(kim, "home")["id"]

    def refuse(volume):
        raise Unworkable("the lock `keep` forbids it")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete_volume", refuse)
        bench.disk_work(disk)
    flagged = bench.disk(kim, "home")
    assert flagged["needs_attention"] == "refused by its storage: the lock `keep` forbids it"
    assert flagged["wake_at"] - flagged["now"] > dt.timedelta(minutes=59)
    assert len(bench.memory.volumes) == 1

    bench.disk_work(disk)

    assert bench.memory.volumes == {}
    assert bench.disk(kim, "home")["needs_attention"] is None


def test_a_row_that_finds_no_rest_does_not_keep_its_worker(bench, kim, monkeypatch):
    made = bench.submit(kim)
    bench.work(made)
    monkeypatch.setattr(processor, "decide", lambda row, world, limits: NoteEndpoint(f"{row.endpoint}x"))
    bench.processor.handle("reservation", made)
    assert bench.row(made).generation < 200
    assert bench.row(made).detail == "an unexpected error; it is tried again"
    monkeypatch.undo()
    bench.work(made)
    assert bench.row(made).endpoint == "unix:/box"


def test_a_disk_that_finds_no_rest_does_not_keep_its_worker(bench, kim, monkeypatch):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    disk, steps = bench.disk(kim, "home")["id"], []
    monkeypatch.setattr(disk_work, "decide_disk", lambda world, limits: steps.append(1) or DiskRest(dt.timedelta()))
    bench.disk_work(disk)
    assert len(steps) == disk_work.MOST_STEPS


def test_a_disk_at_rest_whose_worker_dies_is_taken_up_by_another(bench, kim, monkeypatch):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    disk = bench.disk(kim, "home")["id"]
    bench.disk_work(disk)
    assert bench.disk(kim, "home")["wake_at"] is None
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()

    def die(volume):
        raise SimulatedCrash("delete-volume:before")

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine.backends["mem"].storage, "delete_volume", die)
        with pytest.raises(SimulatedCrash):
            bench.disk_work(disk)
    bench.sql("UPDATE disk SET lease_until = gpudev_now() - interval '1 s' WHERE lease_until IS NOT NULL")
    while bench.processor.sweep():
        pass
    assert bench.memory.volumes == {}


def test_a_worker_that_was_paused_past_its_lease_marks_nothing_of_a_disk(bench, kim, monkeypatch):
    made = bench.submit(kim, disk="home")
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()
    decide, disk = disk_work.decide_disk, bench.disk(kim, "home")["id"]

    def overtaken(world, limits):
        bench.sql("UPDATE disk SET lease_epoch = lease_epoch + 1")
        return decide(world, limits)

    monkeypatch.setattr(disk_work, "decide_disk", overtaken)
    bench.disk_work(disk)
    assert bench.sql("SELECT state FROM volume") == [{"state": "ready"}]


def test_a_place_that_cannot_answer_is_no_failure_of_the_attempt(bench, kim):
    bench.memory.launch_errors.append(TryLater("the place is busy"))
    made = bench.submit(kim)
    bench.plan()
    bench.processor.handle("reservation", made)
    assert (bench.row(made).state, bench.row(made).failures) == (State.PREPARING, 0)
    bench.work(made)
    assert (bench.row(made).state, bench.row(made).attempt) == (State.ACTIVE, 1)
