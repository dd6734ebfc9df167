"""Suspends, outages and clock steps: no box ends unwarned, and none ends before a notice stood for a full grace."""

from __future__ import annotations

import contextlib
import datetime as dt

import attrs
import pytest

from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.engine import accounts, edits
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.serving import Serving
from gpudev_sdk.engine.steps import Warn
from gpudev_sdk.store import roles
from gpudev_sdk.store.pool import Store
from tests.fix_engine import build_bench

HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


class SteppedStore(Store):
    """A store whose SQL sees the time that the test says."""

    ahead = dt.timedelta()

    @contextlib.contextmanager
    def transaction(self, step=None):
        with super().transaction(step) as conn:
            moment = dt.datetime.now(dt.UTC) + self.ahead
            conn.execute("SELECT set_config('gpudev.now', %s, true)", (moment.isoformat(),))
            yield conn


@attrs.define
class Clocks:
    """The database's clock and a process's own, moved by hand."""

    store: SteppedStore
    bench: object
    monotonic: float = 1000.0
    serving: object = None

    def sweep(self):
        return self.serving.sweep()

    def serve(self, seconds, step=5.0):
        """Let time pass as it does when everybody is awake."""
        passed = 0.0
        while passed < seconds:
            self.monotonic += step
            self.store.ahead += step * SECOND
            passed += step
            self.sweep()

    def jump(self, by):
        """Step the database's clock alone."""
        self.store.ahead += by

    def suspend(self, by):
        """Sleep: the wall clock goes on, a process's monotonic clock and the processes do not."""
        self.store.ahead += by


@pytest.fixture
def clocks(database, tmp_path):
    store = SteppedStore(database.dsn(roles.ENGINE))
    store.open()
    bench = build_bench(store, tmp_path)
    bench.claims.start()
    Inventory(bench.engine).take()
    made = Clocks(store, bench)
    made.serving = Serving(bench.engine, clock=lambda: made.monotonic)
    made.sweep()
    yield made
    store.close()


@pytest.fixture
def box(clocks):
    kim = accounts.add_user(clocks.bench.engine, "kim", None)
    made = clocks.bench.submit(kim)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    return kim, made


def notice(bench):
    return next(iter(bench.memory.servers.values()))[1]["notice"].decode()


def test_it_ends_a_grace_after_its_notice(clocks, box):
    _, made = box
    clocks.serve(2 * 3600, step=25)
    clocks.bench.work(made)
    assert "was up" in notice(clocks.bench)
    clocks.serve(115)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    clocks.serve(10)
    clocks.bench.work(made)
    assert clocks.bench.row(made).end_reason is EndReason.EXPIRED


def test_the_grace_begins_when_the_notice_is_recorded_and_not_at_the_look(clocks, box, monkeypatch):
    _, made = box
    clocks.serve(2 * 3600 - 60, step=20)
    clocks.bench.work(made)
    clocks.serve(70)

    def late(look, step):
        # Its processor was held up, within its lease, between the look and the record.
        clocks.serve(15)
        return warn(look, step)

    acts = clocks.bench.processor.acts
    warn = acts._warn
    monkeypatch.setitem(acts._by_step, Warn, late)
    clocks.store.ahead += 4 * SECOND
    clocks.monotonic += 4
    clocks.bench.work(made)
    clocks.serve(115)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE


def test_waking_from_an_hours_sleep_across_the_end_warns_first(clocks, box):
    _, made = box
    clocks.serve(100)
    clocks.suspend(3 * HOUR)
    clocks.sweep()
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    assert "was up" in notice(clocks.bench)
    clocks.serve(100)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    clocks.serve(30)
    clocks.bench.work(made)
    assert clocks.bench.row(made).end_reason is EndReason.EXPIRED


def test_sleeping_in_the_grace_shows_the_notice_again_and_begins_it_anew(clocks, box):
    _, made = box
    clocks.serve(2 * 3600, step=25)
    clocks.bench.work(made)
    clocks.serve(100)
    clocks.suspend(HOUR)
    clocks.sweep()
    clocks.bench.work(made)
    assert "said again after a pause" in notice(clocks.bench)
    clocks.serve(100)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE


def test_a_clock_stepped_an_hour_ahead_ends_nothing_unwarned(clocks, box):
    _, made = box
    clocks.serve(100)
    clocks.jump(2 * HOUR)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    assert "was up" in notice(clocks.bench)


def test_a_clock_stepped_an_hour_back_only_gives_time(clocks, box):
    _, made = box
    clocks.serve(100)
    clocks.jump(-HOUR)
    clocks.sweep()
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    clocks.serve(2 * 3600, step=25)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE


def test_an_extension_in_the_grace_saves_it(clocks, box):
    kim, made = box
    clocks.serve(2 * 3600 + 60, step=20)
    clocks.bench.work(made)
    edits.extend(clocks.bench.engine, kim, str(made), HOUR)
    clocks.serve(300, step=20)
    clocks.bench.work(made)
    assert clocks.bench.row(made).state is State.ACTIVE
    assert "was up" not in notice(clocks.bench)


def test_two_processes_that_count_do_not_count_twice(clocks):
    other = Serving(clocks.bench.engine, clock=lambda: clocks.monotonic)
    other.sweep()
    before = clocks.bench.sql("SELECT seconds FROM served")[0]["seconds"]
    for _ in range(10):
        clocks.monotonic += 5
        clocks.store.ahead += 5 * SECOND
        clocks.sweep()
        other.sweep()
    assert clocks.bench.sql("SELECT seconds FROM served")[0]["seconds"] - before == pytest.approx(50, abs=2)


def test_waiting_in_line_costs_nothing(clocks, box):
    kim, _ = box
    waiting = clocks.bench.submit(kim, gpus=8)
    clocks.bench.plan()
    clocks.serve(3 * 3600, step=29)
    for row_id in (box[1], waiting):
        clocks.bench.work(row_id)
    clocks.serve(130)
    for _ in range(3):
        clocks.bench.work(box[1], waiting)
    row = clocks.bench.row(waiting)
    assert row.state is State.ACTIVE
    assert row.expires_at - row.started_at == 2 * HOUR
    assert row.started_at - row.created_at > 2 * HOUR


def test_who_finds_no_room_in_time_is_told(clocks, box):
    kim, _ = box
    waiting = clocks.bench.submit(kim, gpus=8, max_wait=10 * dt.timedelta(minutes=1))
    clocks.jump(11 * dt.timedelta(minutes=1))
    clocks.bench.work(waiting)
    row = clocks.bench.row(waiting)
    assert (row.state, row.end_reason) == (State.ENDED, EndReason.FAILED)
    assert "found no room" in row.detail
