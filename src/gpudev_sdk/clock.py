"""The monotonic clock of this process; a simulation puts its own in its place.

Only for how long ago something was done here. What people were promised is told by the database's clock alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_clock: Callable[[], float] = time.monotonic


def monotonic() -> float:
    """Return seconds since some moment, which never go back."""
    return _clock()


def install(clock: Callable[[], float] | None) -> None:
    """Install `clock` (tests only), or the real one with None."""
    global _clock
    _clock = clock or time.monotonic
