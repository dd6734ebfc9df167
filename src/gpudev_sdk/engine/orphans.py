"""Finds what runs or lies outside without a row that wants it.

A server of an attempt that our own rows know to be over is a stray and is stopped. What no row of ours knows is reported, and
never touched; nor is what our rows have not come to, as after an older database was put back. A sweep that would stop too much
stops nothing and says so.
"""

from __future__ import annotations

import attrs
import structlog

from gpudev_sdk import fault
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import Paused, ProviderError
from gpudev_sdk.store import bell
from gpudev_sdk.store.reservations import Entry, Stale, edit, load
from gpudev_sdk.store.rows import Conn

ACTOR = "sweep"

log = structlog.get_logger()


@attrs.frozen
class Ahead:
    """A server of an attempt that its row has not begun: the database forgot that it did."""

    server: ServerId
    state: str
    attempt: int


@attrs.frozen(kw_only=True)
class Strays:
    """What one look found."""

    over: tuple[ServerId, ...]
    ahead: tuple[Ahead, ...]
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
    over, ahead, unknown = [], [], []
    for server in seen:
        row = known.get(server.reservation_id)
        if row is None:
            unknown.append(server)
        elif row["state"] == "ended" or server.attempt < row["attempt"]:
            over.append(server)
        elif server.attempt > row["attempt"] or row["state"] == "queued":
            ahead.append(Ahead(server, row["state"], row["attempt"]))
    return Strays(over=tuple(over), ahead=tuple(ahead), unknown=tuple(unknown), seen=len(seen))


def hold_back(conn: Conn, ahead: tuple[Ahead, ...]) -> None:
    """Keep requests in line from starting beside a box of theirs that runs already. Raises Stale."""
    for found in ahead:
        loaded = load(conn, found.server.reservation_id)
        if loaded is None or loaded[0].state is not State.QUEUED or loaded[0].needs_attention is not None:
            continue
        why = f"its box {found.server} runs already, and the database forgot its start; to cancel it ends both"
        edit(conn, loaded[0], {"needs_attention": why}, Entry(what="needs-attention", actor=ACTOR, detail=why))
        bell.want_plan(conn)


def sweep_strays(engine: Engine, claims: Claims) -> None:
    """Stop strays on all backends, once."""
    for backend in engine.backends.values():
        try:
            _sweep(engine, claims, backend)
        except (ProviderError, Paused) as error:
            log.warning("strays not swept", backend=backend.name, reason=error.message)
        except Stale:
            log.info("a row changed while strays were swept", backend=backend.name)


def _sweep(engine: Engine, claims: Claims, backend: Backend) -> None:
    seen = backend.compute.list_servers()
    with engine.store.transaction() as conn:
        strays = find_strays(conn, seen)
    for server in strays.unknown:
        log.warning("server of unknown owner", backend=backend.name, server=str(server))
    if strays.ahead:
        log.warning(
            "servers whose start was forgotten", backend=backend.name, servers=[str(s.server) for s in strays.ahead]
        )
        claims.before_effect(backend.name)
        with engine.store.transaction("hold-back") as conn:
            hold_back(conn, strays.ahead)
    if strays.too_many:
        log.error("too many strays; nothing is stopped", backend=backend.name, strays=len(strays.over))
        return
    for server in strays.over:
        claims.before_effect(backend.name)
        with fault.step("terminate-stray"):
            backend.compute.terminate(server)
