"""The engine over a simulated cloud, worked by hand, with the cloud's nodes, time and weather in the test's hands."""

from __future__ import annotations

import random

import attrs

from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import bell
from gpudev_sdk.testing.cloud import (
    SimulatedCloud,
    SimulatedCompute,
    SimulatedSettings,
    SimulatedStorage,
    VirtualClock,
    Weather,
)
from tests.fix_engine import Bench, bench_over
from tests.unit.testing.sky import CONTEXT, START, seconds


@attrs.define
class House(Bench):
    """The engine over a cloud of a few nodes."""

    cloud: SimulatedCloud = attrs.field(kw_only=True)
    compute: SimulatedCompute = attrs.field(kw_only=True)

    @classmethod
    def build(cls, store, tmp_path, nodes, *, reach=Reach.ZONE, kind=SimulatedCompute, **weather):
        """Put one together over a store: calm weather but for what is named, and the nodes were seen once."""
        cloud = SimulatedCloud(VirtualClock(START), random.Random(7), Weather(**weather), nodes)
        settings = SimulatedSettings(cloud=cloud, reach=reach)
        compute, storage = kind(settings, CONTEXT), SimulatedStorage(settings, CONTEXT)
        limits = attrs.evolve(Limits.one_machine(), max_gpus_per_user=32)
        bench = bench_over(store, tmp_path, Backend(name="sim", compute=compute, storage=storage), limits=limits)
        bench.claims.start()
        Inventory(bench.engine).take()
        return cls(bench.engine, bench.memory, bench.claims, bench.processor, cloud=cloud, compute=compute)

    def pass_by(self, number, row_id):
        """Let the cloud's time pass, and work."""
        self.cloud.advance(seconds(number))
        self.work(row_id)

    def retry(self, row_id):
        """Let the time pass after which the planner tries again."""
        self.sql("UPDATE reservation SET retry_at = NULL WHERE id = %s", row_id)
        with self.engine.store.transaction() as conn:
            bell.want_plan(conn)

    def held(self, row_id):
        """Return how many slots of which nodes it holds."""
        found = self.sql("SELECT node, count(*) AS n FROM gpu_slot WHERE reservation_id = %s GROUP BY node", row_id)
        return {row["node"]: row["n"] for row in found}

    def lawful(self):
        """Whether the doctor finds nothing."""
        return [found for found in doctor.examine(self.engine).findings if found.law != "seen"] == []
