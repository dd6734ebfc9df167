"""What an adoption shows first, and what it sets going: all of which the database and the world do not say the same."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.differences import differences
from gpudev_sdk.engine.orphans import sweep_strays
from gpudev_services.up.powers import Powers


@pytest.fixture
def box(bench, kim):
    """A box that runs, as the database and the world say alike."""
    made = bench.submit(kim, disk="work")
    bench.work(made)
    assert listed(bench) == []
    return made


def listed(bench):
    return [difference.what for difference in differences(bench.engine, bench.engine.backends["mem"])]


def test_a_box_of_an_attempt_that_the_database_has_not_come_to_is_named(bench, box):
    newer = ServerId(box, 2)
    bench.memory.servers[newer] = bench.memory.servers.pop(ServerId(box, 1))
    found = listed(bench)
    assert len(found) == 2
    assert str(newer) in found[0]
    assert "only at attempt 1" in found[0]
    assert str(ServerId(box, 1)) in found[1]


def test_a_box_that_the_database_takes_to_run_is_named(bench, box):
    bench.memory.servers.clear()
    found = listed(bench)
    assert [str(ServerId(box, 1)) in what for what in found] == [True]
    assert "is active" in found[0]


def test_a_box_that_the_database_has_yet_to_see_gone_is_named(bench, kim, box):
    bench.memory.blind = True
    bench.cancel(kim, box)
    bench.work(box)
    assert not bench.memory.servers
    found = listed(bench)
    assert [str(ServerId(box, 1)) in what for what in found] == [True]
    assert "is stopping" in found[0]


def test_a_box_that_the_database_saw_gone_is_no_difference(bench, kim, box):
    bench.cancel(kim, box)
    bench.work(box)
    assert listed(bench) == []


def test_what_is_stored_and_unknown_is_named_once_each(bench, box):
    volume, snapshot = uuid.uuid4(), uuid.uuid4()
    bench.memory.volumes[volume] = "foreign"
    bench.memory.snapshots[snapshot] = bench.memory.snapshot_state
    found = listed(bench)
    assert [str(volume) in found[0], str(snapshot) in found[1], len(found)] == [True, True, 2]


def test_a_list_changes_nothing(bench, box):
    before = (dict(bench.memory.servers), list(bench.memory.log), bench.memory.claim, bench.row(box))
    bench.memory.servers[ServerId(uuid.uuid4(), 1)] = None
    listed(bench)
    bench.memory.servers.popitem()
    assert (dict(bench.memory.servers), list(bench.memory.log), bench.memory.claim, bench.row(box)) == before


def test_what_was_put_off_while_paused_goes_on_with_the_adoption(bench, kim, box):
    bench.memory.claim = attrs.evolve(bench.memory.claim, epoch=bench.memory.claim.epoch + 7)
    paused = bench.processor.acts.claims = Claims(bench.engine)
    assert paused.start()
    bench.cancel(kim, box)
    for _ in range(8):
        bench.work(box)
    assert ServerId(box, 1) in bench.memory.servers
    while bench.processor.work_once():
        pass

    Powers(bench.engine, lambda path: None, lambda: None).adopt("mem")
    while bench.processor.work_once():
        pass
    assert ServerId(box, 1) not in bench.memory.servers
    bench.work(box)
    assert bench.row(box).end_reason is EndReason.CANCELLED


def test_a_look_between_the_two_sides_of_the_claim_does_not_pause_again(bench, monkeypatch):
    bench.memory.claim = attrs.evolve(bench.memory.claim, control_plane_id=uuid.UUID(int=9))
    assert Claims(bench.engine).start()
    compute = bench.engine.backends["mem"].compute
    write = compute.write_claim

    def look_first(new, expected):
        assert Claims(bench.engine).start()
        write(new, expected)

    monkeypatch.setattr(compute, "write_claim", look_first)
    Powers(bench.engine, lambda path: None, lambda: None).adopt("mem")
    monkeypatch.undo()
    assert Claims(bench.engine).start() == {}


def test_no_end_is_decided_before_somebody_has_looked(bench, box):
    bench.memory.claim = attrs.evolve(bench.memory.claim, epoch=bench.memory.claim.epoch + 7)
    bench.processor.acts.claims = Claims(bench.engine)
    assert bench.processor.acts.claims.start()
    bench.memory.servers.clear()
    bench.work(box)
    assert bench.row(box).state is State.ACTIVE


def test_a_box_whose_reservation_still_waits_in_the_database_is_not_stopped(bench, kim, box):
    waiting = bench.submit(kim, gpus=8)
    bench.plan()
    assert bench.row(waiting).state is State.QUEUED
    started = ServerId(waiting, 1)
    bench.memory.servers[started] = bench.memory.servers[ServerId(box, 1)]
    sweep_strays(bench.engine, bench.claims)
    assert started in bench.memory.servers
    assert any(str(started) in what for what in listed(bench))


def test_a_reservation_whose_box_runs_already_does_not_start_beside_it_and_ends_with_it(bench, kim, box):
    waiting = bench.submit(kim, gpus=8)
    started = ServerId(waiting, 1)
    bench.memory.servers[started] = bench.memory.servers[ServerId(box, 1)]
    sweep_strays(bench.engine, bench.claims)
    bench.cancel(kim, box)
    bench.work(box)
    bench.work(waiting)
    assert bench.row(waiting).state is State.QUEUED
    assert str(started) in bench.row(waiting).needs_attention

    bench.cancel(kim, waiting)
    bench.work(waiting)
    assert bench.row(waiting).end_reason is EndReason.CANCELLED
    assert started in bench.memory.servers
    sweep_strays(bench.engine, bench.claims)
    assert started not in bench.memory.servers


def test_an_adoption_holds_such_a_reservation_back_before_anybody_plans(bench, kim, box):
    waiting = bench.submit(kim, gpu_type="cpu", gpus=0)
    bench.memory.servers[ServerId(waiting, 1)] = bench.memory.servers[ServerId(box, 1)]
    Powers(bench.engine, lambda path: None, lambda: None).adopt("mem")
    bench.plan()
    assert bench.row(waiting).state is State.QUEUED


def test_nothing_is_written_down_about_a_box_where_we_may_not_act(bench, kim, box):
    waiting = bench.submit(kim, gpus=8)
    bench.memory.servers[ServerId(waiting, 1)] = bench.memory.servers[ServerId(box, 1)]
    bench.memory.claim = attrs.evolve(bench.memory.claim, epoch=bench.memory.claim.epoch + 7)
    sweep_strays(bench.engine, Claims(bench.engine))
    assert bench.row(waiting).needs_attention is None


def test_no_volume_and_no_snapshot_goes_before_somebody_has_looked(bench, kim, box):
    bench.cancel(kim, box)
    bench.work(box)
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()
    bench.memory.claim = attrs.evolve(bench.memory.claim, epoch=bench.memory.claim.epoch + 7)
    bench.processor.disk_work.claims = Claims(bench.engine)
    assert bench.processor.disk_work.claims.start()
    disk = bench.disk(kim, "work")
    bench.disk_work(disk["id"])
    assert bench.sql("SELECT state FROM volume") == [{"state": "ready"}]
