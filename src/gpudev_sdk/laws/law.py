"""What a law is, where it is tried, and what comes of it."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from gpudev_sdk.providers import Compute, Storage

T = TypeVar("T")


class Broken(Exception):
    """The law is broken, and this is how."""


class NotTried(Exception):
    """The law could not be tried, and this is why."""


@attrs.frozen(kw_only=True)
class Place:
    """A backend whose providers are asked, and how long each answer took."""

    compute: Compute | None = None
    storage: Storage | None = None
    #: The same place as another install sees it, which never made anything there.
    others_compute: Compute | None = None
    others_storage: Storage | None = None
    #: What one call may take, in seconds (law 1.1).
    budget: float = 5.0
    #: The name of each call that was made, and its seconds.
    calls: list[tuple[str, float]] = attrs.field(factory=list)

    def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make a call, and note how long it took, however it ended."""
        began = time.monotonic()
        try:
            return call(*arguments)
        finally:
            self.calls.append((call.__name__, time.monotonic() - began))


@attrs.frozen(kw_only=True)
class Law:
    """One law, as a function that returns if it is kept and raises `Broken` or `NotTried`."""

    number: str
    #: What is tried, as a sentence.
    says: str
    #: The class that this concerns: `Compute`, `Storage` or an ability.
    of: type[Any]
    #: Called with the place, and the provider of that class.
    keeps: Callable[[Place, Any], None]


class Result(enum.StrEnum):
    """What came of trying a law."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_TRIED = "not tried"


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of one law."""

    number: str
    says: str
    result: Result
    #: For people: how it is broken, or why it was not tried.
    why: str = ""
    took_seconds: float = 0.0


def demand(is_so: object, why: str) -> None:
    """Raise `Broken` unless something is so."""
    if not is_so:
        raise Broken(why)
