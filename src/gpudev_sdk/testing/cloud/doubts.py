"""When a read that does not show a thing means that it is not there.

Where reads lag, one read proves nothing: what was just made is not shown yet. Two that agree, further apart than the cloud may
lag, show that it was absent at some moment after the first. A process that starts anew starts its doubts anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
#: Two reads further apart are not one question; something may have been made and gone unseen in between.
FORGETTING = dt.timedelta(minutes=1)


class Doubts(Generic[K]):
    """What one process knows of things that it last saw, made, or missed."""

    def __init__(self) -> None:
        self._missed: dict[K, tuple[dt.datetime, dt.datetime]] = {}
        self._known: dict[K, None] = {}

    def see(self, key: K) -> None:
        """Note that a thing is there: a read showed it, or the cloud answered that it was made."""
        self._missed.pop(key, None)
        self._known[key] = None

    def miss(self, key: K, now: dt.datetime, lag: dt.timedelta) -> bool:
        """Note a read that did not show a thing; return whether it is not there by now, as far as can be known."""
        first, last = self._missed.get(key, (now, now))
        if now - last > max(FORGETTING, 3 * lag):
            first = now
        if now - first < lag:
            self._missed[key] = (first, now)
            return False
        self._missed.pop(key, None)
        self._known.pop(key, None)
        return True

    def known(self) -> tuple[K, ...]:
        """Return what was there when this process last knew."""
        return tuple(self._known)
