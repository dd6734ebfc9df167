"""The processes of a control plane as actors: processors, planners, keepers. Each runs the real code and dies whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.orphans import sweep_strays
from gpudev_sdk.engine.planning import next_plan, run_planner
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.engine.serving import Serving
from gpudev_sdk.errors import GpudevError, ProviderError, Unavailable

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

PLAN_SWEEP = 60.0
LOOK, STRAYS = 30.0, 60.0


class SimStop(threading.Event):
    """A stop that never comes; waiting for it is virtual sleep."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._sleep = sleep

    def wait(self, timeout: float | None = None) -> bool:
        """Let time pass."""
        self._sleep(timeout or 1.0)
        return False


class SimAlarm:
    """One processor's alarm, on virtual time."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._moments: list[float] = []
        self.rung = False

    def set_in(self, seconds: float) -> None:
        """Wake after `seconds`."""
        self._moments.append(self._sim.clock.monotonic() + seconds)

    def wait(self, stop: threading.Event, interval: float) -> bool:
        """Sleep until the bell, the next moment, or the sweep."""
        now = self._sim.clock.monotonic()
        self._moments = sorted(moment for moment in self._moments if moment > now)
        if not self.rung:
            self._sim.scheduler.sleep(min([interval, *(moment - now for moment in self._moments[:1])]))
        rung, self.rung = self.rung, False
        return rung


class SimProcessor(Processor):
    """The real one, which says when it met what nobody foresaw."""

    sim: Simulation

    def _later(self, kind: str, row_id: object, error: Exception) -> None:
        if not isinstance(error, GpudevError):
            self.sim.unforeseen(error, f"{kind} {row_id}")
        super()._later(kind, row_id, error)  # type: ignore[arg-type]


def processor(sim: Simulation, number: int) -> Callable[[], None]:
    """Return the life of a worker process."""

    def live() -> None:
        alarm = sim.alarms[number] = SimAlarm(sim)
        engine = sim.new_process()
        claims = start_claims(sim, engine)
        worker = SimProcessor(engine, claims, alarm, f"host{number}-{sim.scheduler.born}-0")  # type: ignore[arg-type]
        worker.sim = sim
        worker.run(SimStop(sim.scheduler.sleep))

    return live


def start_claims(sim: Simulation, engine: Engine) -> Claims:
    """Begin as a process does: look at who controls the backends."""
    claims = Claims(engine)
    while True:
        try:
            claims.start()
        except (Unavailable, ProviderError):
            sim.scheduler.sleep(2.0)
        else:
            return claims


def planner(sim: Simulation, number: int) -> Callable[[], None]:
    """Return the life of a planner's loop."""

    def live() -> None:
        while True:
            delay = PLAN_SWEEP
            try:
                run_planner(sim.engine, f"planner-{number}", sim.judge.watched_plan)
                coming = next_plan(sim.engine)
            except Unavailable:
                delay = 1.0
            else:
                delay = PLAN_SWEEP if coming is None else min(PLAN_SWEEP, coming + 0.01)
            sim.scheduler.sleep(delay)

    return live


def keeper(sim: Simulation) -> Callable[[], None]:
    """Return the life of the sweeps: counting what was served, looking at backends, ending strays."""

    def live() -> None:
        engine = sim.new_process()
        claims = start_claims(sim, engine)
        serving, inventory = Serving(engine), Inventory(engine)
        sweeps = {"serve": (serving.sweep, sim.knobs.count), "look": (inventory.take, LOOK),
                  "strays": (lambda: sweep_strays(engine, claims), STRAYS)}  # fmt: skip
        due = dict.fromkeys(sweeps, 0.0)
        while True:
            now = sim.clock.monotonic()
            for name, (sweep, every) in sweeps.items():
                if due[name] <= now:
                    due[name] = now + every
                    try:
                        sweep()
                    except (Unavailable, ProviderError):
                        due[name] = now + 1.0
            sim.scheduler.sleep(max(0.1, min(due.values()) - sim.clock.monotonic()))

    return live
