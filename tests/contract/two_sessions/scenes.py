"""Plays a scene in every order, and checks after each that the whole state is lawful."""

from __future__ import annotations

import copy
import datetime as dt
from collections import Counter

import attrs

from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.engine.planning import ask
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.store import fleet
from tests.contract.two_sessions.sessions import COMMIT, END, Session, Stage

#: What a scene may change. Triggers and foreign keys are off on the connection that puts it back.
TABLES = (
    "app_user", "planner", "served", "gpu_slot", "disk", "volume", "snapshot", "disk_lease", "reservation", "reservation_event",
    "reservation_secret", "warning", "plan", "pgmq.q_work",
)  # fmt: skip
#: Statements that nobody else can meet before the commit: to stand before one is to stand after it.
SILENT = ("SELECT pg_notify", "SELECT pgmq.send", "INSERT INTO reservation_event", "SELECT gpudev_now()")
#: A session with more transactions that write is not held before their commits.
FEW = 2
#: Rows that break a law at rest, whatever happened before.
BROKEN = """
SELECT 'history of ' || r.id FROM reservation r JOIN reservation_event e ON e.reservation_id = r.id
GROUP BY r.id HAVING count(*) <> r.generation OR max(e.generation) <> r.generation
UNION ALL SELECT 'planned and not in line: ' || r.id FROM plan p JOIN reservation r ON r.id = p.reservation_id
    JOIN planner n ON n.planned >= n.wanted WHERE r.state <> 'queued'
UNION ALL SELECT 'sleeps through its wish: ' || id FROM reservation
    WHERE cancel_requested_at IS NOT NULL AND state IN ('queued', 'preparing', 'active') AND lease_until IS NULL
      AND wake_at > gpudev_now()
UNION ALL SELECT 'nobody will take the snapshot ' || s.id FROM snapshot s JOIN disk d ON d.id = s.disk_id
    WHERE s.reason = 'asked' AND s.state IN ('intended', 'pending') AND d.lease_until IS NULL
      AND (d.wake_at IS NULL OR d.wake_at > gpudev_now() + interval '1 s')
UNION ALL SELECT 'nobody will purge the disk ' || id FROM disk
    WHERE purge_at IS NOT NULL AND purged_at IS NULL AND lease_until IS NULL
      AND (wake_at IS NULL OR wake_at > purge_at + interval '1 s')
UNION ALL SELECT 'runs on a volume that goes: ' || r.id FROM reservation r JOIN volume v ON v.id = r.volume_id
    WHERE r.state IN ('preparing', 'active') AND v.state IN ('deleting', 'deleted')
UNION ALL SELECT 'live with a volume that goes: ' || d.id FROM disk d JOIN volume v ON v.id = d.volume_id
    WHERE d.deleted_at IS NULL AND v.state IN ('deleting', 'deleted')
"""


@attrs.define
class Theatre:
    """The engine, the same with the API's rights, two people, and the orders in which sessions may meet."""

    bench: object
    api: object
    probe: object
    kim: object
    lee: object
    #: What a law saw, over all orders.
    ended: set = attrs.field(factory=set)
    kept: dict = attrs.field(factory=dict)

    def worker(self, name, **limits):
        """Return a processor as another process has it, with a claim of its own that was raised just now."""
        ours = self.bench.engine
        claims = Claims(ours)
        claims.before_effect("mem")
        return Processor(attrs.evolve(ours, limits=attrs.evolve(ours.limits, **limits)), claims, Alarm(), name)

    def handling(self, kind, row_id, name="worker", **limits):
        """Return the work of a processor on one row: it is troubled if an error had to be put off."""
        worker = self.worker(name, **limits)

        def handle():
            worker.handle(kind, row_id)
            return "troubled" if worker._troubles else "done"

        return handle

    def later(self, by):
        """Let the time of everybody be later by so much than the real one; `by` may be a function that says so."""
        for bench in (self.bench, self.api):
            bench.engine.store.ahead = by if callable(by) else lambda: by

    def count(self, what):
        """Return how many rows there are: `disk`, `snapshot WHERE reason = 'asked'`."""
        return self.bench.sql(f"SELECT count(*) AS n FROM {what}")[0]["n"]

    def until(self, row_id, state):
        """Plan and handle a row until it is in `state`."""
        for _ in range(10):
            if self.bench.row(row_id).state is state:
                return
            self.bench.plan()
            self.bench.processor.handle("reservation", row_id)
        raise AssertionError(f"it never came to {state}: {self.bench.row(row_id)}")

    def in_every_order(self, arrange, law, *, coarse=False):
        """Play the scene in every order; return how often each pair of outcomes came.

        One session is stopped at each of its statements while the other goes to its end; then both go on. For sessions of many
        transactions (`coarse`) it is stopped at both sides of each commit, and the other one goes to its end or to where it
        holds all its locks. `arrange` returns their works; `law` gets the outcomes and checks what is special to the scene.
        """
        outcomes = Counter()
        counted = [self._once(arrange, law, [(number, END)], outcomes)[number] for number in (0, 1)]
        for order in orders(counted, coarse):
            self._once(arrange, law, order, outcomes)
        return outcomes

    def _once(self, arrange, law, order, outcomes):
        stage = Stage(self.probe, [work if isinstance(work, Session) else Session(work) for work in arrange()])
        try:
            came = stage.play(order)
            self.check()
            law(*came)
        except AssertionError as error:
            trace = ["", *(f"{number}: {text}" for number, s in enumerate(stage.sessions) for text in s.statements)]
            error.add_note(f"in the order {order}" + "\n  ".join(trace))
            raise
        finally:
            self.begin_again()
        outcomes[tuple(map(str, came))] += 1
        return [session.statements for session in stage.sessions]

    def check(self):
        """Hold the state against the laws: those of the doctor, the histories, and that nobody in line could start now."""
        findings = [found for found in doctor.examine(self.bench.engine).findings if found.law != "seen"]
        assert findings == [], findings
        with self.bench.engine.store.transaction() as conn:
            broken = [next(iter(row.values())) for row in conn.execute(BROKEN).fetchall()]
            counter = conn.execute(fleet.Q["planner"]).fetchone()
            could = plan(ask(fleet.read(conn), self.bench.engine.limits)).starting
        assert broken == [], broken
        if counter["planned"] >= counter["wanted"]:
            assert could == (), "the planner rests although somebody could start"

    def keep(self):
        """Have every scene begin with what there is now."""
        for table in TABLES:
            kept = f"kept.{table.replace('.', '_')}"
            self.probe.execute(f"DROP TABLE IF EXISTS {kept}; CREATE TABLE {kept} AS TABLE {table}")
        self.kept = {name: copy.copy(things) for name, things in attrs.asdict(self.bench.memory, recurse=False).items()}

    def begin_again(self):
        """Put back what was kept."""
        self.later(dt.timedelta())
        back = "DELETE FROM {}; INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{}"
        self.probe.execute(";".join(back.format(table, table, table.replace(".", "_")) for table in TABLES))
        for name, things in self.kept.items():
            if name != "claim":
                setattr(self.bench.memory, name, copy.copy(things))


def orders(counted, coarse):
    """Yield the orders: (session, place to go to) one after the other; what is left is played to the end."""
    for first, second in ((0, 1), (1, 0)):
        held = writing_commits(counted[second])
        held = held if coarse and len(held) <= FEW else []
        for place in range(1, len(counted[first])):
            done, coming = counted[first][place - 1 : place + 1]
            if done.startswith(SILENT) or (coarse and COMMIT not in (done, coming)):
                continue
            yield [(first, place), (second, END)]
            yield from ([(first, place), (second, commit), (first, END)] for commit in held)


def writing_commits(statements):
    """Return the places of the commits of transactions that wrote something."""
    wrote, places = False, []
    for place, statement in enumerate(statements):
        if statement == COMMIT and wrote:
            places.append(place)
        wrote = statement != COMMIT and (wrote or statement.startswith(("UPDATE", "INSERT", "DELETE")))
    return places
