"""A thread that does one thing again and again: the planner's and the sweeps' counterpart of the processor's loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from gpudev_sdk import clock
from gpudev_sdk.errors import Unavailable

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0

log = structlog.get_logger()


class Loop:
    """Calls `work`, which returns in how many seconds it wants to be called again, until `stop`; `nudge` calls it now."""

    def __init__(self, name: str, work: Callable[[], float]) -> None:
        self._name = name
        self._work = work
        self._stop = threading.Event()
        #: When it is to have come round again.
        self._due = clock.monotonic()
        self._nudged = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def late(self) -> float:
        """By how many seconds it is late to do its work without an error."""
        return max(0.0, clock.monotonic() - self._due)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def nudge(self) -> None:
        """Have the work done now, and once more if it is being done."""
        self._nudged.set()

    def stop(self) -> None:
        """End after the present call; `join` waits for it."""
        self._stop.set()
        self._nudged.set()

    def join(self, timeout: float) -> None:
        """Wait for the end, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        trouble = 0
        while not self._stop.is_set():
            self._nudged.clear()
            try:
                delay = self._work()
                trouble = 0
                self._due = clock.monotonic() + delay
            except Unavailable as error:
                log.warning("database unavailable", loop=self._name, reason=error.message)
                delay = FIRST_DELAY
            except Exception:
                # The boundary of a loop: what is not foreseen is logged whole, and tried again ever more slowly.
                log.exception("loop will try again", loop=self._name)
                trouble += 1
                delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(trouble, 8))
            self._nudged.wait(delay)
