"""The reservation family of tables: the row, its history, its secrets, its warnings, its lease.

`record` is the only way a row changes under a lease: compare-and-set on state, generation and lease epoch, with an event in
the same transaction. `edit` is the only way a person's wish changes it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from psycopg import sql

from gpudev_sdk.domain.reservation import Reservation
from gpudev_sdk.store.rows import Conn, Row, reservation_from_row
from gpudev_sdk.store.sql import queries

Q = queries("reservations")


class Stale(Exception):
    """Somebody else changed the row, or its lease is another's: read again."""


@attrs.frozen(kw_only=True)
class Entry:
    """One entry for the history."""

    what: str
    actor: str
    detail: str = ""


def load(conn: Conn, reservation_id: uuid.UUID) -> tuple[Reservation, dt.datetime] | None:
    """Return a row and the database's time, or None."""
    row = conn.execute(Q["find_reservation"], {"id": reservation_id}).fetchone()
    return None if row is None else (reservation_from_row(row), row["now"])


def _assignments(changes: Mapping[str, object]) -> sql.Composable:
    parts = [
        sql.SQL("{} = {}").format(
            sql.Identifier(name), value if isinstance(value, sql.Composable) else sql.Literal(value)
        )
        for name, value in changes.items()
    ]
    return sql.SQL(", ").join(parts)


#: The database's time, as a value for `record` and `edit`.
NOW = sql.SQL("gpudev_now()")


def after_now(delay: dt.timedelta) -> sql.Composable:
    """Return a moment from now on, as a value for `record` and `edit`."""
    return sql.SQL("gpudev_now() + {}").format(sql.Literal(delay))


def record(conn: Conn, row: Reservation, changes: Mapping[str, object], entry: Entry) -> int:
    """Change a leased row and append to its history; return the new generation. Raises Stale if it is not as it was."""
    done = conn.execute(
        sql.SQL(
            "UPDATE reservation SET {}, generation = generation + 1"
            " WHERE id = %(id)s AND state = %(state)s AND generation = %(generation)s AND lease_epoch = %(epoch)s"
            " RETURNING generation, state"
        ).format(_assignments(changes)),
        {"id": row.id, "state": row.state, "generation": row.generation, "epoch": row.lease_epoch},
    ).fetchone()
    if done is None:
        raise Stale
    add_event(conn, row.id, done["generation"], (row.state, done["state"]), entry)
    return int(done["generation"])


def edit(conn: Conn, row: Reservation, changes: Mapping[str, object], entry: Entry) -> None:
    """Change what the owner wishes, whoever works on the row; its processor reads again. Raises Stale."""
    done = conn.execute(
        sql.SQL(
            "UPDATE reservation SET {}, generation = generation + 1, wake_at = gpudev_now()"
            " WHERE id = %(id)s AND state = %(state)s AND generation = %(generation)s RETURNING generation"
        ).format(_assignments(changes)),
        {"id": row.id, "state": row.state, "generation": row.generation},
    ).fetchone()
    if done is None:
        raise Stale
    add_event(conn, row.id, done["generation"], (row.state, row.state), entry)


def add_event(
    conn: Conn, reservation_id: uuid.UUID, generation: int, states: tuple[str | None, str], entry: Entry
) -> None:
    """Append to the history."""
    conn.execute(
        Q["insert_event"],
        {
            "reservation_id": reservation_id,
            "generation": generation,
            "what": entry.what,
            "from_state": states[0],
            "to_state": states[1],
            "detail": entry.detail,
            "actor": entry.actor,
        },
    )


def page(
    conn: Conn, owner_id: uuid.UUID | None, *, which: str, after: int | None, limit: int
) -> tuple[list[Reservation], dict[uuid.UUID, Row], dict[uuid.UUID, str]]:
    """Return a page of rows, newest first, with the plans and the disk names that belong to them."""
    found = conn.execute(
        Q["list_reservations"], {"owner_id": owner_id, "which": which, "after": after, "limit": limit}
    ).fetchall()
    rows = [reservation_from_row(row) for row in found]
    return rows, *extras(conn, [row.id for row in rows])


def extras(conn: Conn, ids: Sequence[uuid.UUID]) -> tuple[dict[uuid.UUID, Row], dict[uuid.UUID, str]]:
    """Return plans and disk names by reservation."""
    if not ids:
        return {}, {}
    wanted = {"ids": list(ids)}
    plans = {plan["reservation_id"]: plan for plan in conn.execute(Q["plans_of"], wanted)}
    disks = {disk["reservation_id"]: disk["name"] for disk in conn.execute(Q["disks_of"], wanted)}
    return plans, disks


def secrets_of(conn: Conn, reservation_id: uuid.UUID) -> dict[str, str]:
    """Return the secret values of a reservation by name."""
    return {row["name"]: row["value"] for row in conn.execute(Q["secrets_of"], {"id": reservation_id})}


def scalar(row: Row | None, name: str) -> Any:
    """Return one column of a row that must be there."""
    if row is None:
        raise LookupError(name)
    return row[name]
