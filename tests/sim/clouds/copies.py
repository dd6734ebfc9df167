"""Copies of a cluster as processes keep them, in virtual time: what changed arrives when it is due, for whoever asks next.

The code is the product's but for its thread, which in real time would make every run of a seed another. A watch lags, is silent
for a while without anybody's knowing, or breaks off, so that all is listed again; a process that slept wakes up with old news.
"""

from __future__ import annotations

import bisect
import datetime as dt
from typing import Any

from gpudev_sdk import clock
from gpudev_sdk.errors import ProviderError, TryLater
from gpudev_sdk.kube.api import Event
from gpudev_sdk.kube.kinds import Kind
from gpudev_sdk.kube.mirror import RELIST, Mirror
from gpudev_sdk.testing.cloud import SimulatedCloud
from tests.unit.kube.fake_store import Json, Key, Store, matches

#: How late news is, at most in seconds, in good weather and in bad.
PROMPT, LATE = 0.05, 3.0
#: How often a look finds a watch silent or broken off, in bad weather; and how long it is silent.
SILENT, BROKEN, SILENCE = 0.004, 0.004, 40.0
#: From a list that failed to the next.
PAUSE = dt.timedelta(seconds=1)
#: A look after so much more time than the process's own clock saw is the first after a sleep.
SLEPT = 5.0


class Feed:
    """When what changes in an API server is told to those who watch it."""

    def __init__(self, store: Store, cloud: SimulatedCloud) -> None:
        self.store, self.cloud = store, cloud
        #: How often a copy was told of something.
        self.told = 0
        #: Versions, and when each was the newest.
        self._versions: list[int] = []
        self._moments: list[dt.datetime] = []
        store.controllers.append(self._note)

    @property
    def now(self) -> dt.datetime:
        """The moment it is."""
        return self.cloud.clock.now

    @property
    def is_bad(self) -> bool:
        """Whether something goes wrong."""
        weather = self.cloud.weather
        return bool(weather.failed_call or weather.lost_answer or weather.throttled)

    def copy(self, *of: Any, **how: Any) -> FedCopy:
        """Return a copy that is fed from here."""
        made = FedCopy(*of, **how)
        made.feed = self
        return made

    def strikes(self, what: str, likely: float) -> bool:
        """Draw whether something goes wrong, and count it."""
        return self.is_bad and self.cloud.chance(f"watch: {what}", likely)

    def silence(self) -> dt.datetime:
        """Return until when a watch says nothing."""
        return self.now + dt.timedelta(seconds=self.cloud.rng.uniform(0, SILENCE))

    def next_after(self, version: int) -> tuple[int, str, Key, Json] | None:
        """Return the first change after a version."""
        at = bisect.bisect_right(self.store.log, version, key=lambda change: change[0])
        return self.store.log[at] if at < len(self.store.log) else None

    def arrives(self, version: int, after: dt.datetime) -> dt.datetime:
        """Return when a change is told of, which is after what came before."""
        happened = self._moments[bisect.bisect_left(self._versions, version)]
        late = dt.timedelta(seconds=self.cloud.rng.uniform(0, LATE if self.is_bad else PROMPT))
        return max(after, happened + late)

    def _note(self, store: Store, key: Key) -> None:
        self._versions.append(store.version)
        self._moments.append(self.now)


class FedCopy(Mirror):
    """A copy without a thread."""

    feed: Feed
    _at: int | None = None
    _kind: Kind
    _next: tuple[int, dt.datetime] | None = None
    _again = _told = _silent_until = dt.datetime.min.replace(tzinfo=dt.UTC)
    _list_due = 0.0
    _looked: tuple[dt.datetime, float] | None = None

    def wait(self, seconds: float) -> bool:
        """Take over what has arrived by now, and say whether the copy can be believed."""
        feed = self.feed
        if self._at is not None and self._silent_until <= feed.now:
            if self._has_slept() or feed.strikes("silent", SILENT):
                self._silent_until = feed.silence()
            elif feed.strikes("broken off", BROKEN):
                self._note(TryLater("the watch broke off"))
                self._at, self._again = None, feed.now + PAUSE
        self._looked = feed.now, clock.monotonic()
        if self._at is None or clock.monotonic() >= self._list_due:
            self._look()
        elif self._silent_until <= feed.now:
            self._read(self._at)
        return self.is_fresh

    def _has_slept(self) -> bool:
        """Say whether the process slept since it looked last, and is not told yet what it missed."""
        if self._looked is None:
            return False
        passed = (self.feed.now - self._looked[0]).total_seconds()
        return passed - (clock.monotonic() - self._looked[1]) > SLEPT and self.feed.cloud.rng.random() < 0.5

    def _look(self) -> None:
        if self.feed.now < self._again:
            return
        try:
            self._at = int(self._list())
        except ProviderError as error:
            self._note(error)
            self._at, self._again = None, self.feed.now + PAUSE
        else:
            self._next, self._told = None, self.feed.now
            self._list_due = clock.monotonic() + RELIST

    def _read(self, at: int) -> None:
        feed, space = self.feed, self._api.namespace if self._kind.namespaced else None
        while (change := feed.next_after(at)) is not None:
            version, what, key, item = change
            if self._next is None or self._next[0] != version:
                self._next = version, feed.arrives(version, self._told)
            if self._next[1] > feed.now:
                break
            at, self._told = version, self._next[1]
            if key[0] == self._kind.plural and space in (None, key[1]) and matches(item, self._selector):
                self._take(Event(what, item))
                feed.told += 1
        self._at = at
        with self._lock:
            self._sign, self._trouble = clock.monotonic(), None
