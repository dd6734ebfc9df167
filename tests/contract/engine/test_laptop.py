"""A laptop's life, as one law: every box has its ending notice a full grace of waking time before it ends, and does end.

The waking time is the test's own count, and not the engine's: it grows only while every clock and every process ran.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools

import attrs
import pytest

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.engine import accounts, edits
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.serving import Serving
from gpudev_sdk.store import roles
from gpudev_sdk.store.pool import Store
from tests.fix_database import fresh_database
from tests.fix_engine import build_bench
from tests.memory_backend import MemoryCompute

MINUTE = 60.0
HOUR = 3600.0
#: How far apart the looks are near an end, and what a look may come late by.
LOOK = 10.0
LATE = 4 * LOOK
GRACE = Limits.one_machine().grace.total_seconds()


class WallStore(Store):
    """A store whose SQL sees the wall clock that the test moves."""

    wall = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

    @contextlib.contextmanager
    def transaction(self, step=None):
        with super().transaction(step) as conn:
            conn.execute("SELECT set_config('gpudev.now', %s, true)", (self.wall.isoformat(),))
            yield conn


class WatchedCompute(MemoryCompute):
    """Tells the laptop when a notice is put into a box, and when a box is ended."""

    laptop = None

    def configure(self, server_id, files):
        super().configure(server_id, files)
        self.laptop.shown(files["notice"].decode())

    def terminate(self, server_id):
        super().terminate(server_id)
        self.laptop.ended_at = self.laptop.ended_at or self.laptop.moment()


@attrs.frozen
class Moment:
    """When something happened: in waking seconds, after how many interruptions, and what the wall clock said."""

    awake: float
    breaks: int
    wall: dt.datetime


@attrs.define
class Laptop:
    """One control plane on a machine that sleeps, and one box."""

    store: WallStore
    bench: object
    #: Whether the worker or the count of served time comes first at every waking.
    worker_first: bool = False
    monotonic: float = 5000.0
    awake: float = 0.0
    breaks: int = 0
    notice: str = ""
    #: Every time an ending notice came to stand in the box; None where it was taken away.
    notices: list = attrs.field(factory=list)
    ended_at: Moment | None = None
    serving: Serving = None
    kim: object = None
    made: object = None

    def moment(self):
        return Moment(self.awake, self.breaks, self.store.wall)

    def shown(self, text):
        if text == self.notice:
            return
        self.notice = text
        self.notices.append(self.moment() if "was up" in text else None)

    def boot(self):
        """Start the processes anew."""
        self.serving = Serving(self.bench.engine, clock=lambda: self.monotonic)

    def look(self):
        """Let everybody who woke do what they do."""
        turns = [self.serving.sweep, lambda: self.bench.processor.handle("reservation", self.made)]
        for turn in turns[::-1] if self.worker_first else turns:
            turn()

    def live(self, seconds):
        """Let time pass as it does when everybody is awake."""
        passed = 0.0
        while passed < seconds and self.ended_at is None:
            self._pass(LOOK)
            passed += LOOK
            self.look()

    def live_until(self, left):
        """Live until that many seconds before the end, the most of it at one go."""
        idle = self.left() - max(left, 0) - 2 * LOOK
        if idle > 0:
            self._pass(idle)
            # What the counts of so many seconds come to.
            self.bench.sql("UPDATE served SET seconds = seconds + %s, updated_at = gpudev_now()", idle)
            self.boot()
            self.serving.sweep()
        self.live(self.left() - left)

    def _pass(self, seconds):
        self.store.wall += dt.timedelta(seconds=seconds)
        self.monotonic += seconds
        self.awake += seconds

    def left(self):
        return (self.bench.row(self.made).expires_at - self.store.wall).total_seconds()

    def interrupt(self, wall, monotonic):
        """Let the two clocks part, with nobody looking."""
        self.store.wall += dt.timedelta(seconds=wall)
        self.monotonic += monotonic
        self.breaks += 1

    def extend(self, seconds):
        edits.extend(self.bench.engine, self.kim, str(self.made), dt.timedelta(seconds=seconds))


def suspend(laptop):
    laptop.interrupt(HOUR, 0)


def suspend_with_a_clock_that_counts_sleep(laptop):
    laptop.interrupt(HOUR, HOUR)


def suspend_beside_a_database_that_sleeps_too(laptop):
    laptop.interrupt(0, HOUR)


def step_ahead(laptop):
    laptop.interrupt(HOUR, 0.5)


def step_back(laptop):
    laptop.interrupt(-HOUR, 0.5)


def outage(laptop):
    laptop.interrupt(HOUR, HOUR)
    laptop.boot()


def reboot(laptop):
    laptop.interrupt(HOUR, 3.0 - laptop.monotonic)
    laptop.boot()


BREAKS = (
    suspend, suspend_with_a_clock_that_counts_sleep, suspend_beside_a_database_that_sleeps_too, step_ahead, step_back,
    outage, reboot,
)  # fmt: skip
#: How long before its end the break comes: with the end still ahead of it, with the end inside of it, in the grace.
BEFORE, ACROSS, IN_GRACE = 80 * MINUTE, 10 * MINUTE, -60.0
ORDERS = pytest.mark.parametrize("worker_first", [False, True], ids=["count-first", "worker-first"])
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def bench(server, _template, tmp_path_factory):
    """One engine for all laptops: each has a box of its own, and the wall clock goes on from one to the next."""
    with fresh_database(server, _template) as database:
        store = WallStore(database.dsn(roles.ENGINE))
        store.open()
        made = build_bench(store, tmp_path_factory.mktemp("laptop"))
        backend = made.engine.backends["mem"]
        made.engine.backends["mem"] = attrs.evolve(backend, compute=WatchedCompute(made.memory))
        made.claims.start()
        Inventory(made.engine).take()
        yield made
        store.close()


@pytest.fixture
def laptop(bench):
    made = bench.engine.backend("mem").compute.laptop = Laptop(bench.engine.store, bench)
    made.boot()
    made.serving.sweep()
    made.kim = accounts.add_user(bench.engine, f"kim-{next(_numbers)}", None)
    return made


def bring_up(laptop, seconds):
    laptop.made = laptop.bench.submit(laptop.kim, duration=dt.timedelta(seconds=seconds))
    laptop.bench.work(laptop.made)
    assert laptop.bench.row(laptop.made).state is State.ACTIVE
    # A break right after a start would be none: the first count is still to come.
    laptop.live(2 * LOOK)


def until_it_ends(laptop):
    """Live on until the box is ended, within the time that it had left, a grace, and what looks come late by."""
    # The break is looked at before anything is lived at one go, or it would be covered up.
    laptop.live(LOOK)
    bound = max(laptop.left(), 0) + GRACE + LATE
    laptop.live_until(60.0)
    laptop.live(min(bound, 60.0 + GRACE + LATE))
    assert laptop.ended_at is not None, f"not ended after {bound} s more"
    laptop.bench.work(laptop.made)
    row = laptop.bench.row(laptop.made)
    assert (row.state, row.end_reason) == (State.ENDED, EndReason.EXPIRED)


def hold_to_the_law(laptop):
    """The notice that stood when the box ended had stood a full grace with nobody asleep, and the time was up."""
    row, end, stood = laptop.bench.row(laptop.made), laptop.ended_at, laptop.notices[-1]
    assert stood is not None, "ended without a notice"
    assert end.awake - stood.awake >= GRACE
    assert end.breaks == stood.breaks, "not shown again after a break"
    assert end.wall >= row.expires_at


@ORDERS
@pytest.mark.parametrize("away", BREAKS)
@pytest.mark.parametrize("at", [BEFORE, ACROSS, IN_GRACE], ids=["before", "across", "in-grace"])
def test_every_box_has_its_notice_a_full_grace_before_it_ends(laptop, away, at, worker_first):
    laptop.worker_first = worker_first
    bring_up(laptop, 90 * MINUTE if at == BEFORE else 15 * MINUTE)
    laptop.live_until(at)
    had_notice = laptop.notices[-1:] not in ([], [None])
    assert had_notice is (at == IN_GRACE)
    away(laptop)
    until_it_ends(laptop)
    hold_to_the_law(laptop)
    if had_notice:
        assert "said again" in laptop.notice


@ORDERS
@pytest.mark.parametrize(
    ("first", "second"),
    [(suspend, suspend), (suspend, step_back), (step_back, step_ahead), (step_ahead, outage), (outage, outage)],
)
def test_two_breaks_in_a_row_are_no_way_around_it(laptop, first, second, worker_first):
    laptop.worker_first = worker_first
    bring_up(laptop, 15 * MINUTE)
    laptop.live_until(IN_GRACE)
    first(laptop)
    # Enough for the notice of the first waking, and far less than a grace.
    laptop.live(4 * LOOK)
    second(laptop)
    until_it_ends(laptop)
    hold_to_the_law(laptop)


@pytest.mark.parametrize("asleep", [True, False], ids=["while-away", "after-waking"])
@pytest.mark.parametrize("away", [suspend, step_ahead, step_back, outage])
@pytest.mark.parametrize("at", [BEFORE, ACROSS, IN_GRACE], ids=["before", "across", "in-grace"])
def test_an_extension_gives_all_that_it_says_and_a_notice_of_its_own(laptop, away, at, asleep):
    bring_up(laptop, 90 * MINUTE if at == BEFORE else 15 * MINUTE)
    laptop.live_until(at)
    away(laptop)
    if not asleep:
        laptop.live(2 * LOOK)
    before = laptop.bench.row(laptop.made).expires_at
    laptop.extend(2 * HOUR)
    assert laptop.bench.row(laptop.made).expires_at - before == dt.timedelta(hours=2)
    laptop.live(2 * LOOK)
    assert "was up" not in laptop.notice
    until_it_ends(laptop)
    hold_to_the_law(laptop)


@pytest.mark.parametrize("away", [suspend, outage])
def test_a_machine_that_dozes_ends_its_box_as_soon_as_it_stays_awake(laptop, away):
    bring_up(laptop, 15 * MINUTE)
    laptop.live_until(IN_GRACE)
    for _ in range(6):
        away(laptop)
        laptop.live(GRACE - 4 * LOOK)
        assert laptop.ended_at is None
    until_it_ends(laptop)
    hold_to_the_law(laptop)


def test_naps_too_short_to_count_as_breaks_are_never_counted_as_grace(laptop):
    bring_up(laptop, 15 * MINUTE)
    laptop.live_until(0)
    while laptop.ended_at is None:
        laptop.store.wall += dt.timedelta(seconds=20)
        laptop.live(LOOK)
    assert laptop.ended_at.awake - laptop.notices[-1].awake >= GRACE
