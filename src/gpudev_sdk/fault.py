"""Marks step boundaries: a no-op in production, a crash and yield point in simulation.

`fault.point("name")` is called before and after each effect and each commit. Tests install a hook; nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


class SimulatedCrash(BaseException):
    """The process died here, as after `kill -9`; nothing may catch this but the simulator."""


def point(name: str) -> None:
    """Tell an installed hook that the step boundary `name` is reached."""
    if _hook is not None:
        _hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Install `hook` (tests only), or remove it with None."""
    global _hook
    _hook = hook
