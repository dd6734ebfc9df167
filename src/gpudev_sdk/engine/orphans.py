"""Finds what runs or lies outside without a row that wants it.

A server of an attempt that our own rows know to be over is a stray and is stopped. What no row of ours knows is reported, and
never touched. A sweep that would stop too much stops nothing and says so.
"""

from __future__ import annotations

import attrs
import structlog

from gpudev_sdk import fault
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import Paused, ProviderError
from gpudev_sdk.store.rows import Conn

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class Strays:
    """What one look found."""

    over: tuple[ServerId, ...]
    unknown: tuple[ServerId, ...]
    seen: int

    @property
    def too_many(self) -> bool:
        """Whether stopping them all would be more than a sweep may."""
        return len(self.over) > max(5, self.seen // 5)


def find_strays(conn: Conn, seen: tuple[ServerId, ...]) -> Strays:
    """Compare the servers of a backend, listed before this transaction began, with our rows."""
    ids = [server.reservation_id for server in seen]
    rows = conn.execute("SELECT id, attempt, state FROM reservation WHERE id = ANY(%s)", (ids,)).fetchall()
    known = {row["id"]: row for row in rows}
    over = tuple(
        server
        for server in seen
        if (row := known.get(server.reservation_id)) is not None
        and (row["state"] in ("ended", "queued") or server.attempt < row["attempt"])
    )
    unknown = tuple(server for server in seen if server.reservation_id not in known)
    return Strays(over=over, unknown=unknown, seen=len(seen))


def sweep_strays(engine: Engine, claims: Claims) -> None:
    """Stop strays on all backends, once."""
    for backend in engine.backends.values():
        try:
            _sweep(engine, claims, backend)
        except (ProviderError, Paused) as error:
            log.warning("strays not swept", backend=backend.name, reason=error.message)


def _sweep(engine: Engine, claims: Claims, backend: Backend) -> None:
    seen = backend.compute.list_servers()
    with engine.store.transaction() as conn:
        strays = find_strays(conn, seen)
    for server in strays.unknown:
        log.warning("server of unknown owner", backend=backend.name, server=str(server))
    if strays.too_many:
        log.error("too many strays; nothing is stopped", backend=backend.name, strays=len(strays.over))
        return
    for server in strays.over:
        claims.before_effect(backend.name)
        with fault.step("terminate-stray"):
            backend.compute.terminate(server)
