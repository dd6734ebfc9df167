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
from gpudev_sdk.store import bell, people, pgmq
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.listener import Listener

#: Without a bell the plan is looked at this often, in case a notice was lost.
PLAN_SWEEP = 60.0
LOOK = 5.0
STRAYS = 60.0
FORGET = 3600.0
#: Days for which a handled message is kept, for whoever looks for what went wrong, and how many go in one transaction.
KEPT_DAYS = 7
MOST_FORGOTTEN = 10_000
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
            Processor(engine, claims, self._alarm, f"{self._name}-{number}") for number in range(processors)
        ]
        self._threads = [
            threading.Thread(target=one.run, args=(self._stop,), name=f"processor-{number}", daemon=True)
            for number, one in enumerate(self._processors)
        ]
        self._serving = Serving(engine)
        self._inventory = Inventory(engine)
        self._planner = Loop("planner", self._plan)
        self._loops = [
            self._planner,
            Loop("serving", self._serve),
            Loop("inventory", self._take_inventory),
            Loop("strays", self._sweep_strays),
            Loop("forgetting", self._forget),
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
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End everything; what was being done is finished or found again by the next start."""
        self._stop.set()
        self._alarm.wake_all()
        for loop in self._loops:
            loop.stop()
        self._listener.stop()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT)
        for loop in self._loops:
            loop.join(STOP_TIMEOUT)

    def late(self) -> dict[str, float]:
        """Return by how many seconds each loop is late to come round, and of the processors the latest."""
        return {one.name: one.late for one in self._loops} | {"processor": max(one.late for one in self._processors)}

    def wake(self) -> None:
        """Have everything looked at now, as after an adoption."""
        self._reconnected()

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

    def _forget(self) -> float:
        with self._engine.store.transaction() as conn:
            conn.execute(people.Q["forget_nonces"])
        with self._engine.store.transaction() as conn:
            gone = pgmq.forget(conn, bell.QUEUE, days=KEPT_DAYS, most=MOST_FORGOTTEN)
        return 1.0 if gone == MOST_FORGOTTEN else FORGET

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
