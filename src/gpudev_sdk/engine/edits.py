"""What an owner may change of a live reservation: end it, or give it more time. The processor acts on the row."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

from gpudev_sdk.domain.names import ID_PREFIX
from gpudev_sdk.domain.reservation import EndReason, Reservation, State
from gpudev_sdk.domain.times import format_duration
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import Conflict, InvalidRequest, LimitReached, NotFound
from gpudev_sdk.store import bell, fleet, reservations
from gpudev_sdk.store.reservations import NOW, Entry, Q, Stale
from gpudev_sdk.store.rows import Conn

#: Tries when the processor changes the row between our read and our write.
TRIES = 20


def find(conn: Conn, user: User, ref: str) -> uuid.UUID:
    """Return the id of one's own reservation by name, id, or the beginning of one; foreign ones look absent."""
    prefix = ref if ID_PREFIX.match(ref) else "-"
    found = conn.execute(Q["match_reservations"], {"owner_id": user.id, "ref": ref, "id_prefix": prefix}).fetchall()
    if not found:
        raise NotFound(f"you have no reservation {ref[:40]!r}", hint="`gpudev list --all` shows what you have and had.")
    live = [row for row in found if row["state"] != "ended"]
    if len(live) > 1 and prefix == ref:
        raise Conflict(f"{ref!r} begins the ids of several reservations", hint="Give more of the id, or the name.")
    first: uuid.UUID = found[0]["id"]
    return first


def cancel(engine: Engine, user: User, ref: str) -> uuid.UUID:
    """Ask for the end of a reservation; asking again changes nothing. From now on it never becomes active."""

    def wish(conn: Conn, row: Reservation, now: dt.datetime) -> None:
        if row.cancel_requested_at is not None or row.end_reason is EndReason.CANCELLED:
            return
        if row.state is State.ENDED:
            raise Conflict(f"{row.name!r} ended already ({row.end_reason})", hint="There is nothing to cancel.")
        if row.state is State.STOPPING and row.end_reason is not None:
            return
        reservations.edit(conn, row, {"cancel_requested_at": NOW}, Entry(what="cancel", actor=user.name))

    return _edit(engine, user, ref, wish)


def extend(engine: Engine, user: User, ref: str, more: dt.timedelta) -> uuid.UUID:
    """Grant a reservation more time; warnings count from the new end. Raises LimitReached and changes nothing."""
    if more <= dt.timedelta():
        raise InvalidRequest("an extension must be longer than nothing", field="seconds")
    limits = engine.limits
    if more > limits.max_extension:
        raise LimitReached(f"one extension adds at most {format_duration(limits.max_extension)}")

    def wish(conn: Conn, row: Reservation, now: dt.datetime) -> None:
        if row.state in (State.STOPPING, State.ENDED) or row.cancel_requested_at is not None:
            raise Conflict(f"{row.name!r} is {row.state} and cannot be extended", hint="Reserve again.")
        granted = row.granted + more
        kinds = [kind for _, kind in fleet.catalogue(conn) if kind.name == row.request.gpu_type]
        total = limits.longest_total(kinds[0]) if kinds else limits.max_total
        if total is not None and granted > total:
            raise LimitReached(
                f"with {format_duration(more)} more it would last over {format_duration(total)} in all",
                hint=f"You can add {format_duration(max(total - row.granted, dt.timedelta()))}.",
            )
        changes: dict[str, object] = {"granted": granted}
        if row.started_at is not None:
            end = row.started_at + granted
            deadline = end + limits.grace + limits.stopping_overdue
            changes |= {"expires_at": end, "ending_notice_served": None, "ending_notice_gaps": None}
            changes |= {"state_deadline": deadline}
        entry = Entry(what="extend", actor=user.name, detail=f"{format_duration(more)} more")
        reservations.edit(conn, row, changes, entry)

    return _edit(engine, user, ref, wish)


def _edit(engine: Engine, user: User, ref: str, wish: Callable[[Conn, Reservation, dt.datetime], None]) -> uuid.UUID:
    """Apply `wish` to the row as it is; try again when the processor changed it in between."""
    for _ in range(TRIES):
        try:
            with engine.store.transaction("edit") as conn:
                reservation_id = find(conn, user, ref)
                found = reservations.load(conn, reservation_id)
                if found is None:
                    raise NotFound
                wish(conn, *found)
                bell.ring_work(conn, "reservation", reservation_id)
                bell.want_plan(conn)
                return reservation_id
        except Stale:
            continue
    raise Conflict("the reservation changes too fast", hint="Try again.")
