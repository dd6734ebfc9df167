"""A copy of some objects of a cluster, kept by list and watch: a watch is a hint, a list is the truth.

The copy says how old it may be. Whoever needs to be sure that something is *not* there asks the API server itself.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable

import attrs
import structlog

from gpudev_sdk import clock
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.kube.api import Api, Event
from gpudev_sdk.kube.errors import TooOld
from gpudev_sdk.kube.kinds import Json, Kind

#: After this long without any sign of the API server, the copy is not believed.
FRESH = 30.0
#: All is listed again this often, whatever the watch said.
RELIST = 300.0
_REMEMBERED = 1024

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class Pace:
    """How often a copy looks."""

    #: A watch is begun anew after so many seconds, which also shows that the API server is there.
    watch: int = 15
    #: From a look that failed, or ended at once, to the next.
    pause: float = 1.0


PACE = Pace()
#: Is told of an object of a copy: as it was, and as it is; None if it is not there.
Tell = Callable[[Json | None, Json | None], None]


def _as_it_is(item: Json) -> Json:
    return item


def _tell_nobody(before: Json | None, now: Json | None) -> None:
    return


class Mirror:
    """Objects of one kind that a selector names. Threads may share it; it starts to look with the first question."""

    def __init__(
        self,
        api: Api,
        kind: Kind,
        selector: str = "",
        trim: Callable[[Json], Json] = _as_it_is,
        *,
        tell: Tell = _tell_nobody,
        pace: Pace = PACE,
    ) -> None:
        """Keep what each object is trimmed to, and `tell` of each change of the copy: what was there, and what is."""
        self._api, self._kind, self._selector, self._trim = api, kind, selector, trim
        self._tell, self._pace = tell, pace
        self._lock = threading.Lock()
        self._items: dict[tuple[str, str], Json] = {}
        self._arrived: dict[tuple[str, str], float] = {}
        #: Uids of what the API server removed by our hand, and the watch may still tell something older of.
        self._removed: dict[str, None] = {}
        self._sign: float | None = None
        self._trouble: ProviderError | None = None
        self._listed = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to look, once."""
        with self._lock:
            if self._thread is None:
                name = f"mirror-{self._kind.plural}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Look no more; a watch that is open ends with its time."""
        self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Start, and wait until there was a first answer, good or bad; say whether the copy can be believed."""
        self.start()
        self._listed.wait(seconds)
        return self.is_fresh

    @property
    def is_fresh(self) -> bool:
        """Whether the copy is at most half a minute behind, as far as is known; not while the API server does not answer."""
        with self._lock:
            known = self._sign is not None and self._trouble is None
            return known and clock.monotonic() - (self._sign or 0.0) < FRESH

    @property
    def trouble(self) -> ProviderError | None:
        """Why the last look failed, or None."""
        with self._lock:
            return self._trouble

    def find(self, name: str, namespace: str | None = None) -> Json | None:
        """Return the copy of one object."""
        with self._lock:
            return self._items.get((self._api.namespace if namespace is None else namespace, name))

    def age(self, name: str) -> float:
        """Return the seconds since the API server told of one object as the copy has it; infinity if it has none."""
        with self._lock:
            arrived = self._arrived.get((self._api.namespace, name))
        return math.inf if arrived is None else clock.monotonic() - arrived

    def all(self) -> list[Json]:
        """Return the copies of all objects."""
        with self._lock:
            return list(self._items.values())

    def put(self, item: Json) -> None:
        """Take over what the API server answered to a change of ours, before the watch tells of it."""
        with self._lock:
            if self._sign is not None:
                self._keep(item)

    def drop(self, item: Json) -> None:
        """Take over that the API server removed an object, before the watch tells of it."""
        key, uid = _key(item), item["metadata"]["uid"]
        with self._lock:
            if len(self._removed) >= _REMEMBERED:
                self._removed.pop(next(iter(self._removed)))
            self._removed[uid] = None
            known = self._items.get(key)
            if known is not None and known["metadata"].get("uid") == uid:
                self._lose(key)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow(self._list())
            except ProviderError as error:
                self._note(error)
                self._ended.wait(self._pace.pause * (0.5 + random.random()))

    def _list(self) -> str:
        listing = self._api.list(self._kind, self._selector)
        with self._lock:
            there = {_key(item): item for item in listing.items if item["metadata"].get("uid") not in self._removed}
            for key in self._items.keys() - there.keys():
                self._lose(key)
            for key, item in there.items():
                self._set(key, item)
            self._sign, self._trouble = clock.monotonic(), None
        self._listed.set()
        return listing.version

    def _follow(self, version: str) -> None:
        listed = clock.monotonic()
        while not self._ended.is_set() and clock.monotonic() - listed < RELIST:
            begun = clock.monotonic()
            try:
                for event in self._api.watch(self._kind, self._selector, version, self._pace.watch):
                    version = event.item["metadata"]["resourceVersion"]
                    self._take(event)
            except TooOld:
                return
            with self._lock:
                self._sign = clock.monotonic()
            if clock.monotonic() - begun < self._pace.pause:
                # Somebody ends every watch at once, and is not to be asked without end.
                self._ended.wait(self._pace.pause)

    def _take(self, event: Event) -> None:
        with self._lock:
            self._sign, self._trouble = clock.monotonic(), None
            if event.what == "DELETED":
                self._lose(_key(event.item))
            elif event.what != "BOOKMARK":
                self._keep(event.item)

    def _keep(self, item: Json) -> None:
        """Keep the newer of two versions of one object, and nothing of one that was removed."""
        key = _key(item)
        known = self._items.get(key)
        is_removed = item["metadata"].get("uid") in self._removed
        if not is_removed and (known is None or _version(known) <= _version(item)):
            self._set(key, item)

    def _set(self, key: tuple[str, str], item: Json) -> None:
        known, trimmed = self._items.get(key), self._trim(item)
        self._items[key], self._arrived[key] = trimmed, clock.monotonic()
        self._tell(known, trimmed)

    def _lose(self, key: tuple[str, str]) -> None:
        known = self._items.pop(key, None)
        self._arrived.pop(key, None)
        if known is not None:
            self._tell(known, None)

    def _note(self, error: ProviderError) -> None:
        if self._ended.is_set():
            return
        with self._lock:
            known, self._trouble = self._trouble, error
        if known is None or known.message != error.message:
            log.warning("a cluster is not seen", kind=self._kind.plural, reason=error.message)
        self._listed.set()


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace") or "", item["metadata"]["name"]


def _version(item: Json) -> int:
    """Return a version for comparing: they are decimal numbers that grow (KEP-5504, in force since 1.35).

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    text = item["metadata"].get("resourceVersion") or "0"
    return int(text) if text.isdecimal() else 0
