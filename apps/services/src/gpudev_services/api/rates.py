"""Token buckets, kept in this process: enough to blunt a loop, no accounting."""

from __future__ import annotations

import threading
import time

import attrs

from gpudev_sdk.errors import TooManyRequests


@attrs.frozen
class Rate:
    """So many calls a minute, and as many at once."""

    name: str
    per_minute: float


LOGIN = Rate("login", 10)
WRITE = Rate("write", 600)
DRY_RUN = Rate("dry-run", 60)
MOST_BUCKETS = 10_000


class Rates:
    """Buckets by (rate, whom)."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, rate: Rate, whom: str) -> None:
        """Count one call; raise TooManyRequests when the bucket is empty."""
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.clear()
            left, at = self._buckets.get((rate.name, whom), (rate.per_minute, now))
            left = min(rate.per_minute, left + (now - at) * rate.per_minute / 60)
            if left < 1:
                raise TooManyRequests(delay=(1 - left) * 60 / rate.per_minute)
            self._buckets[rate.name, whom] = (left - 1, now)
