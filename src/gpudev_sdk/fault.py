"""Marks step boundaries: a no-op in production, a crash and yield point in simulation.

A step is one effect outside or one transaction that writes: `NAME:before` is where nothing of it has happened, `NAME:after` where
all of it has and nobody here knows yet. Tests install a hook; nothing else does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

_hook: Callable[[str], None] | None = None


class SimulatedCrash(BaseException):
    """The process died here, as after `kill -9`; nothing may catch this but the simulator."""


def point(name: str) -> None:
    """Tell an installed hook that the step boundary `name` is reached."""
    if _hook is not None:
        _hook(name)


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Mark the block as one step: both of its boundaries, the second only if it was done."""
    point(f"{name}:before")
    yield
    point(f"{name}:after")


def install(hook: Callable[[str], None] | None) -> None:
    """Install `hook` (tests only), or remove it with None."""
    global _hook
    _hook = hook
