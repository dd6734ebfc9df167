"""Looks at every backend and writes down what it has: types, nodes, slots. What could not be seen stays as it was.

While its compute or its storage does not answer, a backend takes nothing new, and the others go on.
"""

from __future__ import annotations

import uuid

import attrs
import structlog

from gpudev_sdk import clock
from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.providers import Compute, Gang, Storage
from gpudev_sdk.store import bell, fleet

#: What looks the same is written down again only this often, as a sign that it was looked at.
SIGN = 120.0
#: Storage that answers is asked again only this often: clouds count calls.
STORAGE_LOOK = 10.0
#: A volume that nobody has: to be told that it is absent is to be answered.
_NOBODYS = VolumeRef(volume_id=uuid.UUID(int=0), disk_id=uuid.UUID(int=0))

log = structlog.get_logger()
_Found = tuple[tuple[GpuType, ...], tuple[Node, ...]]


@attrs.frozen(kw_only=True)
class _Seen:
    """What one look at a backend found: None of what it has if that could not be told, and what is in the way, if anything."""

    found: _Found | None
    trouble: str


class Inventory:
    """One process's looks. A look that finds what the last one found touches no table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: dict[str, tuple[_Seen, float]] = {}
        #: When storage last answered.
        self._answered: dict[str, float] = {}

    def take(self) -> None:
        """Look at all backends once."""
        for backend in self._engine.backends.values():
            seen = self._look(backend)
            if seen.trouble:
                log.warning("backend cannot be seen", backend=backend.name, reason=seen.trouble)
            self._note(backend, seen)

    def _look(self, backend: Backend) -> _Seen:
        try:
            found = (_types(backend.compute), backend.compute.nodes())
        except ProviderError as error:
            return _Seen(found=None, trouble=error.message)
        answered = self._answered.get(backend.name)
        if answered is not None and clock.monotonic() - answered < STORAGE_LOOK:
            return _Seen(found=found, trouble="")
        trouble = _trouble_of(backend.storage)
        if trouble:
            self._answered.pop(backend.name, None)
        else:
            self._answered[backend.name] = clock.monotonic()
        return _Seen(found=found, trouble=trouble)

    def _note(self, backend: Backend, seen: _Seen) -> None:
        before = self._last.get(backend.name)
        if before is not None and before[0] == seen and clock.monotonic() - before[1] < SIGN:
            return
        was_away = before is not None and before[0].trouble != ""
        with self._engine.store.transaction("note-inventory") as conn:
            changed = seen.found is not None and fleet.note_inventory(conn, backend.name, *seen.found)
            if seen.trouble:
                fleet.note_trouble(conn, backend.name, seen.trouble)
            if changed or before is None or was_away != bool(seen.trouble):
                bell.want_plan(conn)
        self._last[backend.name] = (seen, clock.monotonic())


def _types(compute: Compute) -> tuple[GpuType, ...]:
    """Return what a backend offers; gangs only where it has the ability."""
    kinds = compute.gpu_types()
    return kinds if isinstance(compute, Gang) else tuple(attrs.evolve(kind, gang=False) for kind in kinds)


def _trouble_of(storage: Storage) -> str:
    """Say why a backend's storage does not answer, or nothing."""
    try:
        seen = storage.get_volume(_NOBODYS)
    except ProviderError as error:
        return f"its disks do not answer: {error.message}"
    return f"its disks do not answer: {seen.reason}" if seen.presence == "unknown" else ""
