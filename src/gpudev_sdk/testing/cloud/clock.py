"""Time that passes only when a test says so."""

from __future__ import annotations

import datetime as dt

from gpudev_sdk.domain.times import check_aware


class VirtualClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, start: dt.datetime) -> None:
        self._start = self._now = check_aware(start).astimezone(dt.UTC)

    @property
    def now(self) -> dt.datetime:
        """The moment it is, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return (self._now - self._start).total_seconds()

    def advance(self, by: dt.timedelta) -> None:
        """Let time pass; a clock that would go back is a fault of the caller (ValueError)."""
        if by < dt.timedelta():
            raise ValueError("time does not go back")
        self._now += by
