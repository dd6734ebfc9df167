"""Counts how long this control plane was awake, so that a suspend, a clock step or an outage ends no box unwarned.

Called at every sweep with the monotonic time since the last one. The box ends when the count has grown by a full grace since
its ending notice; after a gap the notice is shown again, and the grace starts anew.
"""

from __future__ import annotations

from collections.abc import Callable

from gpudev_sdk import clock
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.store.reservations import Q


class Serving:
    """One process's sweeps."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = clock.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._last: float | None = None

    def sweep(self) -> float | None:
        """Count; return in how many seconds the next end comes (below zero if one is overdue), None if there is none."""
        now = self._clock()
        since = 0.0 if self._last is None else now - self._last
        with self._engine.store.transaction("serve") as conn:
            row = conn.execute(Q["serve"], {"since": since}).fetchone()
        self._last = now
        return None if row is None or row["coming"] is None else float(row["coming"].total_seconds())
