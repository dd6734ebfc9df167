"""Turns rows into what the API answers: one place for each view."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from gpudev_sdk.domain.reservation import Reservation, State
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine import disk_edits
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.disk_places import moves, place_of
from gpudev_sdk.errors import InvalidRequest, NotFound
from gpudev_sdk.store import disks, reservations
from gpudev_sdk.store.rows import Row
from gpudev_sdk.wire.views import DiskView, EventView, ReservationPage, ReservationView, SnapshotView

MAX_PAGE = 200


def reservation_view(row: Reservation, plan: Row | None, disk: str | None, notes: Mapping[str, str]) -> ReservationView:
    """Show a reservation to its owner."""
    queued = plan if row.state is State.QUEUED else None
    return ReservationView(
        id=row.id,
        name=row.name,
        owner=row.owner,
        state=row.state,
        gpu_type=row.request.gpu_type,
        gpus=row.request.gpus,
        created_at=row.created_at,
        granted_seconds=int(row.granted.total_seconds()),
        attempt=row.attempt,
        generation=row.generation,
        detail=row.detail,
        end_reason=row.end_reason,
        needs_attention=row.needs_attention,
        disk=disk,
        image=row.request.image,
        backend=row.backend,
        node=row.node,
        nodes=row.nodes,
        node_names=[peer.node for peer in row.peers],
        notes=dict(notes) if row.state is State.ACTIVE else {},
        started_at=row.started_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        position=queued["position"] if queued else None,
        starts_at=queued["starts_at"] if queued else None,
        waiting_for=queued["waiting_for"] if queued else None,
        ssh_name=row.name if row.state is State.ACTIVE else None,
    )


class Notes:
    """What people should know of each backend, asked once for each answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, dict[str, str]] = {}

    def of(self, backend: str | None) -> Mapping[str, str]:
        """Return the notes of a backend; none for one that is not configured any more."""
        if backend is None or backend not in self._engine.backends:
            return {}
        if backend not in self._known:
            self._known[backend] = self._engine.backends[backend].notes()
        return self._known[backend]


def show(engine: Engine, reservation_id: uuid.UUID) -> ReservationView:
    """Show one reservation."""
    with engine.store.transaction() as conn:
        found = reservations.load(conn, reservation_id)
        if found is None:
            raise NotFound
        plans, names = reservations.extras(conn, [reservation_id])
    row = found[0]
    return reservation_view(row, plans.get(row.id), names.get(row.id), Notes(engine).of(row.backend))


def page(engine: Engine, user: User, *, which: str, after: str | None, limit: int) -> ReservationPage:
    """Show a page of one's own reservations, newest first."""
    if which not in ("live", "ended", "all"):
        raise InvalidRequest("state is one of live, ended, all", field="state")
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is from 1 to {MAX_PAGE}", field="limit")
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise InvalidRequest("after is what an earlier page said", field="after")
    with engine.store.transaction() as conn:
        start = None if after is None else int(after)
        rows, plans, names = reservations.page(conn, user.id, which=which, after=start, limit=limit + 1)
    notes = Notes(engine)
    items = [reservation_view(row, plans.get(row.id), names.get(row.id), notes.of(row.backend)) for row in rows[:limit]]
    return ReservationPage(items=items, next=str(rows[limit - 1].seq) if len(rows) > limit else None)


def history(engine: Engine, reservation_id: uuid.UUID) -> list[EventView]:
    """Show everything that happened to a reservation."""
    with engine.store.transaction() as conn:
        found = conn.execute(reservations.Q["list_events"], {"id": reservation_id}).fetchall()
    return [EventView(**event) for event in found]


def _disk_view(row: Row, backends: Sequence[str]) -> DiskView:
    place = place_of(row)
    return DiskView(
        zone=place.zone,
        node=place.node,
        leaving=row["leaving"],
        moves=moves(row, backends),
        id=row["id"],
        name=row["name"],
        size_bytes=row["size_bytes"],
        created_at=row["created_at"],
        backend=row["backend"],
        used_bytes=row["used_bytes"],
        last_used_at=row["last_used_at"],
        in_use_by=row["holder"],
        in_use_state=row["holder_state"],
        snapshots=row["snapshots"],
        deleted_at=row["deleted_at"],
        purge_at=row["purge_at"],
        needs_attention=row["needs_attention"],
    )


def disk_views(engine: Engine, user: User, *, deleted: bool = False, name: str | None = None) -> list[DiskView]:
    """Show one's disks, or the one of a name."""
    with engine.store.transaction() as conn:
        wanted = {"owner_id": user.id, "deleted": deleted, "name": name}
        found = conn.execute(disks.Q["list_disks"], wanted).fetchall()
    return [_disk_view(row, sorted(engine.backends)) for row in found]


def disk_view(engine: Engine, user: User, name: str) -> DiskView:
    """Show one disk."""
    found = disk_views(engine, user, name=name)
    if not found:
        raise NotFound(f"you have no disk {name[:40]!r}", hint="`gpudev disk list` shows what you have.")
    return found[0]


def snapshot_views(engine: Engine, user: User, name: str) -> list[SnapshotView]:
    """Show a disk's snapshots, newest first."""
    with engine.store.transaction() as conn:
        disk = disk_edits.get(conn, user, name)
        found = disks.snapshots_of(conn, disk["id"])
    return [snapshot_view(row) for row in found]


def snapshot_view(row: Row) -> SnapshotView:
    """Show one snapshot."""
    return SnapshotView(
        id=row["id"],
        state=row["state"],
        reason=row["reason"],
        requested_at=row["requested_at"],
        completed_at=row["completed_at"],
        size_bytes=row["size_bytes"],
        trouble=row["trouble"],
    )
