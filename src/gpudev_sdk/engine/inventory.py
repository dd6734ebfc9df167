"""Looks at every backend and writes down what it has: types, nodes, slots. What could not be seen stays as it was."""

from __future__ import annotations

import structlog

from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.store import bell, fleet

log = structlog.get_logger()


def take_inventory(engine: Engine) -> None:
    """Look at all backends once."""
    for backend in engine.backends.values():
        _look_at(engine, backend)


def _look_at(engine: Engine, backend: Backend) -> None:
    try:
        kinds, nodes = backend.compute.gpu_types(), backend.compute.nodes()
    except ProviderError as error:
        log.warning("backend cannot be seen", backend=backend.name, reason=error.message)
        with engine.store.transaction() as conn:
            fleet.note_trouble(conn, backend.name, error.message)
        return
    with engine.store.transaction() as conn:
        if fleet.note_inventory(conn, backend.name, kinds, nodes):
            bell.want_plan(conn)
