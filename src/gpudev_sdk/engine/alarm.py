"""When workers of one process wake: at the bell, at the next moment somebody set, or one of them at the sweep's interval."""

from __future__ import annotations

import heapq
import threading

from gpudev_sdk import clock


class Alarm:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._moments: list[float] = []
        self._rings = 0
        self._swept = clock.monotonic()

    def ring(self) -> None:
        """Wake one waiting worker now, or keep the next from sleeping."""
        with self._condition:
            self._rings += 1
            self._condition.notify()

    def wake_all(self) -> None:
        """Wake everyone, to let them see that they should stop."""
        with self._condition:
            self._rings += 1000
            self._condition.notify_all()

    def set_in(self, seconds: float) -> None:
        """Wake one worker after `seconds`."""
        with self._condition:
            heapq.heappush(self._moments, clock.monotonic() + seconds)
            self._condition.notify()

    def wait(self, stop: threading.Event, interval: float) -> bool:
        """Sleep until the bell, a set moment, or, for one of all who wait, `interval` seconds after the last sweep.

        Returns whether it was the bell.
        """
        with self._condition:
            while not stop.is_set():
                now = clock.monotonic()
                if self._rings:
                    self._rings -= 1
                    return True
                if self._moments and self._moments[0] <= now:
                    while self._moments and self._moments[0] <= now:
                        heapq.heappop(self._moments)
                    return False
                if now >= self._swept + interval:
                    self._swept = now
                    return False
                due = self._swept + interval
                self._condition.wait(min(due, self._moments[0] if self._moments else due) - now)
        return False
