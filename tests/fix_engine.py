"""An engine over a real database and a backend in memory, worked by hand."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.request import Request
from gpudev_sdk.engine import accounts, edits
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.planning import run_planner
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.store import disks, ids, people, reservations
from tests.memory_backend import Memory, MemoryCompute, MemoryStorage

HOUR = dt.timedelta(hours=1)


@attrs.define
class Bench:
    """The engine, and hands to work it with."""

    engine: Engine
    memory: Memory
    claims: Claims
    processor: Processor

    def submit(self, user, *, key=None, env=None, **asked):
        """Submit a request and return its reservation's id."""
        request = Request(**{"gpu_type": "h100", "gpus": 1, "duration": 2 * HOUR} | asked)
        key = key or str(uuid.uuid4())
        return submit(self.engine, user, Submission(request=request, idempotency_key=key, env=env or {}))

    def plan(self):
        """Run the planner once."""
        return run_planner(self.engine, "test")

    def work(self, *rows):
        """Plan, and let the processor handle these rows until they rest, a few times over."""
        for _ in range(5):
            self.plan()
            for row_id in rows:
                self.processor.handle("reservation", row_id)

    def row(self, reservation_id):
        """Return the row."""
        with self.engine.store.transaction() as conn:
            found = reservations.load(conn, reservation_id)
        assert found is not None
        return found[0]

    def cancel(self, user, reservation_id):
        """Ask for its end."""
        return edits.cancel(self.engine, user, str(reservation_id))

    def disk(self, user, name, *, live=True):
        """Return a disk's row."""
        with self.engine.store.transaction() as conn:
            return disks.find(conn, user.id, name, live=live)

    def disk_work(self, disk_id):
        """Let the processor handle a disk."""
        self.processor.handle("disk", disk_id)

    def sql(self, statement, *values):
        """Run a statement with the engine's rights and return what it returns."""
        with self.engine.store.transaction() as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount


def build_bench(store, tmp_path, *, limits=None, memory=None, control_plane_id=None):
    """Put a bench together over a store."""
    memory = memory or Memory()
    backend = Backend(name="mem", compute=MemoryCompute(memory), storage=MemoryStorage(memory))
    return bench_over(store, tmp_path, backend, limits=limits, memory=memory, control_plane_id=control_plane_id)


def bench_over(store, tmp_path, backend, *, limits=None, memory=None, control_plane_id=None):
    """Put a bench together over a store and any backend."""
    with store.transaction() as conn:
        conn.execute(people.Q["make_install"], {"id": ids.new()})
        install = people.install(conn)["id"]
    engine = Engine(
        store=store,
        backends={backend.name: backend},
        limits=limits or Limits.one_machine(),
        install_id=install,
        control_plane_id=control_plane_id or uuid.UUID(int=5),
        host_ca=HostAuthority(tmp_path / "ssh"),
    )
    claims = Claims(engine)
    return Bench(engine, memory, claims, Processor(engine, claims, Alarm(), "test-1"))


@pytest.fixture
def bench(store, tmp_path):
    """An engine that has seen its backend."""
    made = build_bench(store, tmp_path)
    made.claims.start()
    Inventory(made.engine).take()
    return made


@pytest.fixture
def kim(bench):
    """A person."""
    return accounts.add_user(bench.engine, "kim", None)


@pytest.fixture
def lee(bench):
    """Another person."""
    return accounts.add_user(bench.engine, "lee", None)
