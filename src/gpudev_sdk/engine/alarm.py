"""When workers of one process wake: at the bell, at the next moment somebody set, or after the sweep's interval."""

from __future__ import annotations

import heapq
import threading
import time


class Alarm:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._moments: list[float] = []
        self._rings = 0

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
            heapq.heappush(self._moments, time.monotonic() + seconds)
            self._condition.notify()

    def wait(self, stop: threading.Event, longest: float) -> None:
        """Sleep until the bell, a set moment, or `longest` seconds."""
        deadline = time.monotonic() + longest
        with self._condition:
            while not stop.is_set():
                now = time.monotonic()
                if self._rings:
                    self._rings -= 1
                    return
                if self._moments and self._moments[0] <= now:
                    while self._moments and self._moments[0] <= now:
                        heapq.heappop(self._moments)
                    return
                if now >= deadline:
                    return
                self._condition.wait(min(deadline, self._moments[0] if self._moments else deadline) - now)
