"""The real thing, worked by hand in a time that stands still between two calls: the API for two people, planner and processor."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid

import attrs

from gpudev_sdk.domain.gpu import Node, Slot
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.reservations import Q
from gpudev_services.api.auth import issue_token
from tests.memory_backend import MemoryCompute

BEGINNING = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
#: What is to be done in less is done now.
SOON = dt.timedelta(seconds=1)
BEGIN_AGAIN = """
UPDATE gpu_slot SET reservation_id = NULL; DELETE FROM plan; DELETE FROM warning; DELETE FROM reservation_secret;
DELETE FROM reservation_event; DELETE FROM disk_lease; DELETE FROM reservation; DELETE FROM snapshot; DELETE FROM volume;
DELETE FROM disk; DELETE FROM pgmq.q_work; DELETE FROM api_token; UPDATE served SET seconds = 0, gaps = 0;
UPDATE planner SET wanted = 1, planned = 0, wake_at = NULL
"""


def seconds(moment):
    """Return a moment that the API told, in seconds since the beginning."""
    return None if moment is None else (dt.datetime.fromisoformat(moment) - BEGINNING).total_seconds()


class StandingStore(Store):
    """A store for which time stands still until the test lets it pass."""

    now = BEGINNING

    @contextlib.contextmanager
    def transaction(self, step=None):
        """Give a connection that sees the test's time."""
        with super().transaction(step) as conn:
            conn.execute("SELECT set_config('gpudev.now', %s, true)", (self.now.isoformat(),))
            yield conn


class ChangingCompute(MemoryCompute):
    """A node some of whose GPUs go away and come back."""

    present = tuple(range(8))

    def nodes(self):
        """Say which are there."""
        slots = [Slot(gpu_type="h100", index=index) for index in self.present]
        return (Node(name="box", slots=(*slots, *(Slot(gpu_type="cpu", index=index) for index in range(4)))),)


@attrs.define
class World:
    """The API's clients by person, and hands to work the engine with."""

    bench: object
    api: object
    people: dict
    probe: object
    clients: dict = attrs.field(factory=dict)

    def begin(self):
        """Begin at the beginning, with nothing."""
        self.probe.execute(BEGIN_AGAIN)
        memory = self.bench.memory
        for things in (
            memory.servers,
            memory.tombstones,
            memory.launches,
            memory.volumes,
            memory.snapshots,
            memory.log,
        ):
            things.clear()
        self._at(BEGINNING)
        self.let_in()
        self.change_gpus(range(8))

    def let_in(self):
        """Give everybody a fresh token, for the old one's time may be over, and forget how often they asked."""
        self.api.desk.rates._buckets.clear()
        for name, user in self.people.items():
            client = self.clients.get(name) or self.api.client("local" if name == "kim" else "wide")
            self.clients[name] = client
            with self.api.desk.engine.store.transaction() as conn:
                token, _ = issue_token(conn, user.id)
            client.headers["Authorization"] = f"Bearer {token}"

    def _at(self, now):
        for store in (self.bench.engine.store, self.api.desk.engine.store):
            store.now = now

    def let_pass(self, by):
        """Let time pass while everybody is awake."""
        self._at(self.bench.engine.store.now + dt.timedelta(seconds=by))
        self.bench.sql("UPDATE served SET seconds = seconds + %s, updated_at = gpudev_now()", by)

    def change_gpus(self, present):
        """Look at a backend that has these GPUs now."""
        compute = self.bench.engine.backends["mem"].compute
        compute.present = tuple(present)
        Inventory(self.bench.engine).take()

    def settle(self):
        """Plan, and handle what is due, until nothing is."""
        for _ in range(100):
            with self.bench.engine.store.transaction() as conn:
                due = [row for row in conn.execute(Q["coming"]).fetchall() if row["delay"] < SOON]
            for row in due:
                self.bench.processor.handle(row["kind"], row["id"])
            assert not self.bench.processor._troubles, self.bench.processor._troubles
            if not due and not self.bench.plan():
                return
        raise AssertionError("it never comes to rest")

    def kill(self, reservation_id):
        """Let the box of a reservation die, and have it looked at as it would be in some seconds."""
        for server in list(self.bench.memory.servers):
            if server.reservation_id == uuid.UUID(reservation_id):
                del self.bench.memory.servers[server]
        self.bench.sql("UPDATE reservation SET wake_at = gpudev_now() WHERE id = %s", reservation_id)

    def call(self, who, method, path, **more):
        """Call the API; return the answer's JSON, or the code of a refusal."""
        answer = self.clients[who].request(method, f"/v1{path}", **more)
        if answer.status_code < 400:
            return answer.json()
        assert answer.status_code < 500, answer.text
        return answer.json()["type"].rpartition("/")[2]
