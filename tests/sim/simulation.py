"""One seed: an install, people, a cloud, and everything that goes wrong; then calm, until all is over or the bound is broken."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import pathlib
import random
import traceback
import uuid
from collections.abc import Iterator

import attrs
import psycopg
from psycopg.rows import dict_row

from gpudev_sdk import clock as process_clock
from gpudev_sdk import fault
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine import accounts, decide, processor
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.providers import Context
from gpudev_sdk.store import bell, disks, ids, people, roles
from gpudev_sdk.testing.cloud import VirtualClock
from tests.fix_database import Database
from tests.sim import knobs as knob
from tests.sim import workers
from tests.sim.book import Book, Content
from tests.sim.faults import ELSEWHERE, STEPS, Faults, crash, timeout
from tests.sim.judge import Judge
from tests.sim.people import Person
from tests.sim.places import open_place
from tests.sim.post import Post
from tests.sim.scheduler import Actor, Scheduler
from tests.sim.store import SimStore
from tests.sim.world import Boxes, Fate

START = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)
#: Once nothing goes wrong any more, everything is over within this, in virtual time.
SETTLED_WITHIN = dt.timedelta(hours=6)
#: PGMQ keeps the real clock, of which a simulation takes none: what was read is shown again by the post alone.
NEVER = 3600
#: How long the sweeps have after that.
AFTERWARDS = dt.timedelta(minutes=40)
#: Transactions that write nothing a law looks at.
QUIET = frozenset(
    {"serve", "read-message", "archive-message", "record-lease", "record-rest", "record-disk-lease", "record-disk-rest",
     "record-lease-renewed", "record-claim", "record-claim-written"}
)  # fmt: skip
#: Calls that change what is outside.
CHANGING = ("launch", "configure", "terminate", "create", "delete", "write")
#: What all the trouble lasts at most, whether or not everybody asked for all they wanted.
TROUBLED = dt.timedelta(hours=3)
#: Turns that each part of a seed may take, five times those of the busiest that was seen: more is somebody who does not rest.
MOST_TURNS = 40_000


class Violated(AssertionError):
    """A law was broken; the message tells how to see it again."""


class FakeCa:
    """Host keys are not what is simulated."""

    def new_host_key(self) -> tuple[str, str]:
        """Return a key."""
        return "private", "ssh-ed25519 AAAA"

    def sign_host_key(self, public: str, serial: int) -> str:
        """Return a certificate."""
        return f"{public} certified {serial}"

    def has_signed(self, certificate: str) -> bool:
        """Say that it is ours: nobody rotates anything here."""
        return True


class Simulation:
    """Everything of one seed."""

    def __init__(self, seed: int, database: Database, lifecycles: int, cloud: str = "simulated") -> None:
        self.seed, self.cloud_name = seed, cloud
        self.rng = random.Random(f"gpudev-{seed}")
        self.knobs = knob.of_cloud(knob.draw(self.rng, seed, lifecycles), cloud, seed)
        self.clock = VirtualClock(START)
        self.asleep = dt.timedelta()
        self.scheduler = Scheduler(random.Random(f"turns-{seed}"), self.clock)
        self.faults = Faults(random.Random(f"faults-{seed}"), self.knobs.rate, self.knobs.focus, self.knobs.switching)
        self.cloud_rng = random.Random(f"cloud-{seed}")
        self.place = open_place(cloud, self)
        self.cloud = self.place.cloud
        self.alarms: dict[int, workers.SimAlarm] = {}
        self.book = Book()
        self.pace = self.knobs.pace
        self.trace: list[str] = []
        self.dirty = True
        self.steps = 0
        self._rings: list[str] = []
        self._canaries: list[str] = []
        self._open(database)
        self.judge = Judge(self)

    def _open(self, database: Database) -> None:
        self.store = SimStore(database.dsn(roles.ENGINE), self._now, self._committed)
        self.front_store = SimStore(database.dsn(roles.API), self._now, self._committed)
        self.owner = psycopg.connect(database.owner_dsn, autocommit=True, row_factory=dict_row)
        self._keep_rows_where_they_lie()
        self.post = Post(self.owner, random.Random(f"post-{self.seed}"), self.knobs.mail_rate)
        with self.store.transaction() as conn:
            conn.execute(people.Q["make_install"], {"id": self.fresh_id()})
            install = people.install(conn)["id"]
        context = Context(install_id=install, name="sim", data_folder=pathlib.Path())
        self.engine = Engine(
            store=self.store,
            backends={"sim": self.place.backend(context)},
            limits=self.knobs.limits,
            install_id=install,
            control_plane_id=uuid.UUID(int=5),
            host_ca=FakeCa(),
        )
        self.front = attrs.evolve(self.engine, store=self.front_store)
        self.context = context

    def new_process(self) -> Engine:
        """Return the engine as a process has it that just started: what plugins remembered died with the one before."""
        return attrs.evolve(self.engine, backends={"sim": self.place.backend(attrs.evolve(self.context))})

    def _keep_rows_where_they_lie(self) -> None:
        """Have no vacuum come by, in real time: what follows from where rows lie would differ from run to run."""
        tables = self.owner.execute(
            "SELECT format('ALTER TABLE %I.%I SET (autovacuum_enabled = off)', schemaname, tablename) AS statement"
            " FROM pg_tables WHERE tableowner = current_user"
        ).fetchall()
        for table in tables:
            self.owner.execute(table["statement"])

    @property
    def limits(self) -> Limits:
        """What the install allows."""
        return self.knobs.limits

    def fresh_id(self) -> uuid.UUID:
        """Return an id that sorts by its age, as ours do, and comes from the seed."""
        stamp = int(self.clock.now.timestamp() * 1000) if hasattr(self, "clock") else 0
        return uuid.UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | self.rng.getrandbits(62))

    def canary(self) -> str:
        """Return a secret that must be seen nowhere."""
        self._canaries.append(f"canary-{self.rng.getrandbits(64):016x}")
        return self._canaries[-1]

    def canaries(self) -> list[str]:
        """Return all secrets."""
        return self._canaries

    def _now(self) -> str:
        return self.clock.now.isoformat()

    def process_seconds(self) -> float:
        """Return what a process's own clock says: it stands still while the machine sleeps."""
        return self.clock.monotonic() - self.asleep.total_seconds()

    def run(self) -> Simulation:
        """Live through it. Raises Violated."""
        with self._on_stage():
            try:
                self._live()
            except Violated:
                raise
            except Exception as error:
                raise Violated(self.story("".join(traceback.format_exception(error)))) from error
        return self

    def _live(self) -> None:
        self._people()
        self._workers()
        troubled = self.clock.now + TROUBLED
        self._go_on_until(lambda: self._asked_all() or self.clock.now > troubled, 2 * TROUBLED, "time stands still")
        self._calm_down()
        self._go_on_until(self._all_over, SETTLED_WITHIN, "not everything came to its end")
        over = self.clock.now
        self._go_on_until(lambda: self.clock.now - over > AFTERWARDS, 2 * AFTERWARDS, "time stands still")
        self.judge.at_the_end()

    @contextlib.contextmanager
    def _on_stage(self) -> Iterator[None]:
        """Have the code's ids, clock, bell and step boundaries be the simulation's, for as long as it lasts."""
        new_id, ring, visibility, often = ids.new, bell.ring, processor.VISIBILITY, decide.ACTIVE_LOOK

        def heard(conn, kind, row_id=None):
            ring(conn, kind, row_id)
            self._rings.append(kind)

        ids.new, bell.ring, processor.VISIBILITY = self.fresh_id, heard, NEVER
        decide.ACTIVE_LOOK = self.knobs.active_look
        fault.install(self._at)
        process_clock.install(self.process_seconds)
        self.cloud.on_call = self._at_call
        try:
            yield
        finally:
            self.scheduler.end()
            process_clock.install(None)
            fault.install(None)
            ids.new, bell.ring, processor.VISIBILITY, decide.ACTIVE_LOOK = new_id, ring, visibility, often
            for open_one in (self.store, self.front_store, self.owner, self.place):
                open_one.close()

    def _people(self) -> None:
        names = ("ada", "kim", "lee", "sam")[: self.knobs.people]
        self.persons = []
        for number, name in enumerate(names):
            user = accounts.add_user(self.engine, name, None)
            if number == 0:
                self.owner.execute("UPDATE app_user SET is_admin = true WHERE id = %s", (user.id,))
                user = attrs.evolve(user, is_admin=True)
            self.persons.append(Person(self, user, self.knobs.lifecycles // len(names)))
        Inventory(self.engine).take()
        for person in self.persons:
            actor = self.scheduler.spawn(f"person-{person.user.name}", person.live, downtime=(0.5, 5.0))
            actor.twin = person.again

    def _workers(self) -> None:
        for number in range(self.knobs.processors):
            self.scheduler.spawn(f"processor-{number}", workers.processor(self, number))
        for number in range(2):
            self.scheduler.spawn(f"planner-{number}", workers.planner(self, number))
            self.scheduler.spawn(f"keeper-{number}", workers.keeper(self))
        self.scheduler.spawn("boxes", Boxes(self).live, downtime=None)
        self.fate = Fate(self)
        self.scheduler.spawn("fate", self.fate.live, downtime=None)

    def _go_on_until(self, reached, bound: dt.timedelta, why: str) -> None:
        began, turns = self.clock.now, self.steps
        while not reached():
            if self.clock.now - began > bound:
                self.violated([f"{why} in {bound}: {self._live_rows()}"])
            if self.steps - turns >= MOST_TURNS:
                passed = self.clock.now - began
                self.violated([f"did not become quiet, {MOST_TURNS} turns in {passed}: {self._live_rows()}"])
            self.scheduler.turn()
            self.steps += 1
            if self.dirty:
                self.dirty = False
                self.judge.after_step()

    def _asked_all(self) -> bool:
        return all(person.left <= 0 and (person.wish is None or person.wish.answered) for person in self.persons)

    def _calm_down(self) -> None:
        self.faults.calm = True
        self.fate.calm_down()
        self.post.make_visible()
        self.pace = 1e9

    def _all_over(self) -> bool:
        if self.steps % 25:
            return False
        left = self.owner.execute("SELECT count(*) AS n FROM reservation WHERE state <> 'ended'").fetchone()
        return left is not None and left["n"] == 0

    def _live_rows(self) -> str:
        rows = self.owner.execute(
            "SELECT id, name, state, attempt, state_since, wake_at, lease_holder, lease_until, detail, needs_attention"
            " FROM reservation WHERE state <> 'ended' ORDER BY seq"
        ).fetchall()
        extra = [
            self.owner.execute(query).fetchall()
            for query in (
                "SELECT * FROM plan",
                "SELECT * FROM planner",
                "SELECT * FROM backend_claim",
                "SELECT * FROM inventory",
                "SELECT node, gpu_type, idx, present, busy_outside, reservation_id FROM gpu_slot",
                "SELECT * FROM node",
                "SELECT * FROM disk_lease WHERE released_at IS NULL",
            )
        ]
        return "\n".join(str(row) for found in (rows, *extra) for row in found)

    def _at(self, point: str) -> None:
        """Decide what happens at a step's boundary."""
        actor = self.scheduler.current
        step, _, side = point.rpartition(":")
        if actor is None or self.scheduler.ending:
            return
        if not step:
            self._in_a_transaction(point)
            return
        if step not in STEPS | ELSEWHERE:
            self.violated([f"the step {step!r} is not in tests/sim/faults.py"])
        what = self.faults.decide(step, side)
        self._note(actor, f"{point} {what}")
        if what == "switch":
            self.scheduler.sleep(0.0)
        elif what in ("before", "after"):
            self.faults.note(step, what)
            raise crash(step, side)
        elif what == "timeout":
            self.faults.note(step, what)
            raise timeout(step)
        elif what == "doubled":
            self.faults.note(step, what)
            self._double(actor)

    def _in_a_transaction(self, point: str) -> None:
        """Nobody else may run here, while locks are held; but the process may die."""
        if self.faults.decide(point, "before") == "before":
            self.faults.note(point, "inside")
            raise crash(point, "inside")

    def _double(self, actor: Actor) -> None:
        """Pause the actor for longer than its lease; a client whose call hangs asks again meanwhile."""
        if actor.twin is not None:
            self.scheduler.spawn(f"{actor.name}-again", actor.twin, delay=self.rng.uniform(1, 10), downtime=None)
        self.scheduler.freeze(self.rng.uniform(*knob.PAUSE))

    def _at_call(self, name: str, side: str) -> None:
        if side == "after" and name.split(".")[1].startswith(CHANGING):
            self.dirty = True
        actor = self.scheduler.current
        if actor is None or self.scheduler.ending:
            return
        self._note(actor, f"{name}:{side}")
        if self.faults.rng.random() < self.knobs.switching / 2:
            self.scheduler.sleep(0.0)

    def _committed(self, step: str | None) -> None:
        rings, self._rings = self._rings, []
        if step is not None and step not in QUIET:
            self.dirty = True
        if not hasattr(self, "persons") or self.scheduler.ending:
            return
        for kind in dict.fromkeys(rings):
            if self.faults.calm or self.rng.random() > self.knobs.deaf:
                self._deliver(kind)

    def _deliver(self, kind: str) -> None:
        soon = self.rng.random() * (0.2 if self.rng.random() < 0.9 else 5.0)
        if kind == "plan":
            woken = [actor for actor in self.scheduler.actors if actor.name.startswith("planner")]
        else:
            woken = [actor for actor in self.scheduler.actors if actor.name.startswith("processor")]
            woken = woken[self.rng.randrange(len(woken)) :][:1] if woken else []
        for actor in woken:
            if actor.name.startswith("processor") and (alarm := self.alarms.get(int(actor.name[-1]))) is not None:
                alarm.rung = True
            self.scheduler.wake(actor, soon)

    def _note(self, actor: Actor, what: str) -> None:
        self.trace.append(f"{self.clock.monotonic():.3f} {actor.name} {what}")

    def idle_disks(self, user: User, *, deleted: bool, filled: bool) -> list[str]:
        """Return a person's disks that were used and that nobody uses now (those with a volume), or that can be had back."""
        with self.front_store.transaction() as conn:
            found = conn.execute(
                disks.Q["list_disks"], {"owner_id": user.id, "deleted": deleted, "name": None}
            ).fetchall()
        return [row["name"] for row in found if (row["deleted_at"] is not None) == deleted and row["holder"] is None
                and (deleted or row["backend"] is not None) and (not filled or row["volume_id"] is not None)]  # fmt: skip

    def good_snapshots(self, user: User, name: str) -> list[tuple[uuid.UUID, uuid.UUID]]:
        """Return (disk, snapshot) of what a person could restore."""
        with self.front_store.transaction() as conn:
            disk = disks.find(conn, user.id, name)
            found = [] if disk is None else disks.snapshots_of(conn, disk["id"])
        return [(row["disk_id"], row["id"]) for row in found if row["state"] == "completed"]

    def content_of(self, snapshot_id: uuid.UUID) -> Content:
        """Return what a snapshot of ours holds, as the cloud knows."""
        return next(
            (s.content for s in self.cloud.snapshots() if s.snapshot_id == snapshot_id and not s.foreign
             and str(s.state) == "completed"), ()
        )  # fmt: skip

    def unforeseen(self, error: Exception, about: str) -> None:
        """An error that the code did not foresee is a violation."""
        text = "".join(traceback.format_exception(error))
        self.judge.found.append(f"an unforeseen error, {about}:\n{text}")

    def violated(self, what: list[str]) -> None:
        """Stop here and tell."""
        raise Violated(self.story("\n".join(what)))

    def story(self, what: str) -> str:
        """Return what a reader needs to see it again."""
        last = "\n".join(self.trace[-60:])
        return (f"seed {self.seed}, {self.clock.now.isoformat()}:\n{what}\n\nsee it again: make sim {self._again()}\n"
                f"{self.knobs.shown()}\n\nthe last turns:\n{last}")  # fmt: skip

    def _again(self) -> str:
        of = "" if self.cloud_name == "simulated" else f"CLOUD={self.cloud_name} "
        return f"{of}SEED={self.seed} LIFECYCLES={self.knobs.lifecycles}"

    def digest(self) -> str:
        """Return what two runs of one seed must share."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]
