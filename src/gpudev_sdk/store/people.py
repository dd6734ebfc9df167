"""The people family of tables: persons, keys, tokens, and what this install is."""

from __future__ import annotations

import uuid

from gpudev_sdk.store.rows import Conn, Row
from gpudev_sdk.store.sql import queries

Q = queries("people")


def keys_of(conn: Conn, user_id: uuid.UUID) -> list[Row]:
    """Return a person's live keys, oldest first."""
    return conn.execute(Q["keys_of"], {"user_id": user_id}).fetchall()


def find_user(conn: Conn, name: str) -> Row | None:
    """Return a person by name, or None."""
    return conn.execute(Q["find_user"], {"name": name}).fetchone()


def lock_user(conn: Conn, user_id: uuid.UUID) -> Row | None:
    """Lock a person's row until the transaction ends, and return it."""
    return conn.execute(Q["lock_user"], {"id": user_id}).fetchone()


def install(conn: Conn) -> Row:
    """Return who we are; made by the first start."""
    row = conn.execute(Q["install"]).fetchone()
    if row is None:
        raise LookupError("no install row")
    return row
