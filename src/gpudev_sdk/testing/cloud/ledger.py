"""What is true now and what was true a while ago, and what will happen later."""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
#: What is older is forgotten; no read lags so far.
MEMORY = dt.timedelta(minutes=15)


class Ledger(Generic[K, V]):
    """Frozen values by key, with their history, so that a read may show an earlier state."""

    def __init__(self) -> None:
        self._now: dict[K, V] = {}
        self._past: dict[K, list[tuple[dt.datetime, V | None]]] = {}
        self._forgotten: dt.datetime | None = None

    def put(self, key: K, value: V, at: dt.datetime) -> None:
        """Write a new value."""
        self._now[key] = value
        self._note(key, value, at)

    def drop(self, key: K, at: dt.datetime) -> None:
        """Let a key go."""
        if self._now.pop(key, None) is not None:
            self._note(key, None, at)

    def find(self, key: K) -> V | None:
        """Return the value, or None."""
        return self._now.get(key)

    def all(self) -> tuple[V, ...]:
        """Return all values, the longest known first."""
        return tuple(self._now.values())

    def find_then(self, key: K, then: dt.datetime) -> V | None:
        """Return the value as it was."""
        for at, value in reversed(self._past.get(key, [])):
            if at <= then:
                return value
        return None

    def all_then(self, then: dt.datetime) -> tuple[V, ...]:
        """Return all values as they were."""
        found = (self.find_then(key, then) for key in self._past)
        return tuple(value for value in found if value is not None)

    def forget(self, before: dt.datetime) -> None:
        """Drop the history that no read can show any more; it is looked through once in a while."""
        if self._forgotten is not None and before - self._forgotten < MEMORY:
            return
        self._forgotten = before
        for key, past in list(self._past.items()):
            while len(past) > 1 and past[1][0] <= before:
                past.pop(0)
            if len(past) == 1 and past[0][1] is None:
                del self._past[key]

    def _note(self, key: K, value: V | None, at: dt.datetime) -> None:
        self._past.setdefault(key, []).append((at, value))


class Agenda:
    """What will happen, in order of time; what is for the same moment happens in the order it was written down."""

    def __init__(self) -> None:
        self._heap: list[tuple[dt.datetime, int, Callable[[dt.datetime], None]]] = []
        self._count = itertools.count()

    def at(self, moment: dt.datetime, what: Callable[[dt.datetime], None]) -> None:
        """Let `what` happen at `moment`, which it is given."""
        heapq.heappush(self._heap, (moment, next(self._count), what))

    def run(self, now: dt.datetime) -> None:
        """Let everything happen that is due."""
        while self._heap and self._heap[0][0] <= now:
            moment, _, what = heapq.heappop(self._heap)
            what(moment)
