"""Looks at every backend and writes down what it has: types, nodes, slots. What could not be seen stays as it was."""

from __future__ import annotations

import attrs
import structlog

from gpudev_sdk import clock
from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.providers import Compute, Gang
from gpudev_sdk.store import bell, fleet

#: What looks the same is written down again only this often, as a sign that it was looked at.
SIGN = 120.0

log = structlog.get_logger()
_Seen = tuple[tuple[GpuType, ...], tuple[Node, ...]]


class Inventory:
    """One process's looks. A look that finds what the last one found touches no table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: dict[str, tuple[_Seen | str, float]] = {}

    def take(self) -> None:
        """Look at all backends once."""
        for backend in self._engine.backends.values():
            try:
                seen: _Seen | str = (_types(backend.compute), backend.compute.nodes())
            except ProviderError as error:
                log.warning("backend cannot be seen", backend=backend.name, reason=error.message)
                seen = error.message
            self._note(backend, seen)

    def _note(self, backend: Backend, seen: _Seen | str) -> None:
        before = self._last.get(backend.name)
        if before is not None and before[0] == seen and clock.monotonic() - before[1] < SIGN:
            return
        with self._engine.store.transaction("note-inventory") as conn:
            if isinstance(seen, str):
                fleet.note_trouble(conn, backend.name, seen)
            elif fleet.note_inventory(conn, backend.name, *seen):
                bell.want_plan(conn)
        self._last[backend.name] = (seen, clock.monotonic())


def _types(compute: Compute) -> tuple[GpuType, ...]:
    """Return what a backend offers; gangs only where it has the ability."""
    kinds = compute.gpu_types()
    return kinds if isinstance(compute, Gang) else tuple(attrs.evolve(kind, gang=False) for kind in kinds)
