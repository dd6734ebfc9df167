"""How fast one API may be called: a bucket of tokens that fills slower while the API says that it is too much. Pure.

EC2 fills a bucket of its own for each account, region and kind of call, which all who use the account share:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

import math
import threading

#: A bucket holds what may be called in this many seconds.
_BURST_SECONDS = 2.0
#: Told that it is too much, it fills half as fast; never slower than this part of what was allowed.
_SLOWER, _SLOWEST = 0.5, 1 / 16
#: After this long without being told so it fills twice as fast again.
_RECOVERY = 10.0


class Pace:
    """The bucket of one API. Threads may share it; `now` is a monotonic clock's."""

    def __init__(self, per_second: float) -> None:
        self._most = per_second
        self._capacity = max(1.0, per_second * _BURST_SECONDS)
        self._tokens = self._capacity
        self._filled_at: float | None = None
        self._slowed_at: float | None = None
        self._share = 1.0
        self._lock = threading.Lock()

    def take(self, now: float, patience: float) -> float | None:
        """Take a token and return the seconds to wait for it; take none and return None if that is over `patience`."""
        with self._lock:
            self._fill(now)
            wait = max(0.0, (1.0 - self._tokens) / self._rate(now))
            if wait > patience:
                return None
            self._tokens -= 1.0
            return wait

    def slow_down(self, now: float) -> None:
        """Note that the API said it is too much: what is in the bucket is lost, and it fills slower."""
        with self._lock:
            self._fill(now)
            self._share = max(_SLOWEST, self._rate(now) / self._most * _SLOWER)
            self._slowed_at = now
            self._tokens = min(self._tokens, 0.0)

    def rate(self, now: float) -> float:
        """Return how many calls a second it allows now."""
        with self._lock:
            return self._rate(now)

    def _rate(self, now: float) -> float:
        if self._slowed_at is None:
            return self._most
        # As fast as was allowed after so many times twice, and a power without bound is no number in the end.
        twice = min(max(0.0, now - self._slowed_at) / _RECOVERY, math.log2(1 / _SLOWEST))
        return float(min(self._most, self._most * self._share * 2**twice))

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            gained = max(0.0, now - self._filled_at) * self._rate(now)
            self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now
