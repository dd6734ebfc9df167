"""The threads of the engine: processors, the planner, the sweeps, and the listener that wakes them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.loop import Loop
from gpudev_sdk.engine.orphans import sweep_strays
from gpudev_sdk.engine.planning import next_plan, run_planner
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.engine.serving import Serving
from gpudev_sdk.engine.worker_names import end_leases_of_the_dead, process_name
from gpudev_sdk.store import people
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener

#: Without a bell the plan is looked at this often, in case a notice was lost.
PLAN_SWEEP = 60.0
LOOK = 5.0
STRAYS = 60.0
NONCES = 3600.0
#: Longest time between two counts of what was served.
COUNT = 10.0
STOP_TIMEOUT = 15.0


class Workers:
    """One process's workers over one engine; any number of processes may have them."""

    def __init__(self, engine: Engine, claims: Claims, dsn: str, processors: int) -> None:
        self._engine = engine
        self._claims = claims
        self._alarm = Alarm()
        self._stop = threading.Event()
        self._name = process_name()
        self._watchers: list[Callable[[Ring], None]] = []
        self._processors = [
            threading.Thread(target=self._process, args=(number,), name=f"processor-{number}", daemon=True)
            for number in range(processors)
        ]
        self._serving = Serving(engine)
        self._inventory = Inventory(engine)
        self._planner = Loop("planner", self._plan)
        self._loops = [
            self._planner,
            Loop("serving", self._serve),
            Loop("inventory", self._take_inventory),
            Loop("strays", self._sweep_strays),
            Loop("nonces", self._forget_nonces),
        ]
        self._listener = Listener(dsn, self._rung, self._reconnected)

    def watch(self, watcher: Callable[[Ring], None]) -> None:
        """Have `watcher` told of every ring, from the listener's thread; it must return at once."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Look at the backends once, then start everything."""
        end_leases_of_the_dead(self._engine)
        self._inventory.take()
        self._listener.start()
        for loop in self._loops:
            loop.start()
        for thread in self._processors:
            thread.start()

    def stop(self) -> None:
        """End everything; what was being done is finished or found again by the next start."""
        self._stop.set()
        self._alarm.wake_all()
        for loop in self._loops:
            loop.stop()
        self._listener.stop()
        for thread in self._processors:
            thread.join(STOP_TIMEOUT)
        for loop in self._loops:
            loop.join(STOP_TIMEOUT)

    def wake(self) -> None:
        """Have everything looked at now, as after an adoption."""
        self._reconnected()

    def _process(self, number: int) -> None:
        Processor(self._engine, self._claims, self._alarm, f"{self._name}-{number}").run(self._stop)

    def _plan(self) -> float:
        run_planner(self._engine, self._name)
        coming = next_plan(self._engine)
        return PLAN_SWEEP if coming is None else min(PLAN_SWEEP, coming)

    def _serve(self) -> float:
        coming = self._serving.sweep()
        if coming is None or coming > COUNT:
            return COUNT
        return min(COUNT, max(0.2, self._engine.limits.grace.total_seconds() / 8))

    def _take_inventory(self) -> float:
        self._inventory.take()
        return LOOK

    def _sweep_strays(self) -> float:
        sweep_strays(self._engine, self._claims)
        return STRAYS

    def _forget_nonces(self) -> float:
        with self._engine.store.transaction() as conn:
            conn.execute(people.Q["forget_nonces"])
        return NONCES

    def _rung(self, ring: Ring) -> None:
        if ring.kind in ("reservation", "disk"):
            self._alarm.ring()
        elif ring.kind == "plan":
            self._planner.nudge()
        for watcher in self._watchers:
            watcher(ring)

    def _reconnected(self) -> None:
        """Rings may have been missed: look at everything."""
        self._alarm.wake_all()
        self._planner.nudge()
        for watcher in self._watchers:
            watcher(Ring("access"))
