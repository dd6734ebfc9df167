"""The disk family of tables: disks, their volumes, snapshots and leases."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from gpudev_sdk.store.rows import Conn, Row
from gpudev_sdk.store.sql import queries

Q = queries("disks")


def find(conn: Conn, owner_id: uuid.UUID, name: str, *, live: bool = True) -> Row | None:
    """Return a person's disk by name, or None."""
    return conn.execute(Q["find_disk"], {"owner_id": owner_id, "name": name, "live": live}).fetchone()


def find_by_id(conn: Conn, disk_id: uuid.UUID | None) -> Row | None:
    """Return a disk, or None."""
    return None if disk_id is None else conn.execute(Q["find_disk_by_id"], {"id": disk_id}).fetchone()


def find_volume(conn: Conn, volume_id: uuid.UUID | None) -> Row | None:
    """Return a volume, or None."""
    return None if volume_id is None else conn.execute(Q["find_volume"], {"id": volume_id}).fetchone()


def find_snapshot(conn: Conn, snapshot_id: uuid.UUID | None) -> Row | None:
    """Return a snapshot, or None."""
    return None if snapshot_id is None else conn.execute(Q["find_snapshot"], {"id": snapshot_id}).fetchone()


def snapshots_of(conn: Conn, disk_id: uuid.UUID) -> list[Row]:
    """Return a disk's snapshots, newest first."""
    return conn.execute(Q["snapshots_of"], {"disk_id": disk_id}).fetchall()


def volumes_of(conn: Conn, disk_id: uuid.UUID) -> list[Row]:
    """Return a disk's volumes that are not gone."""
    return conn.execute(Q["volumes_of"], {"disk_id": disk_id}).fetchall()


def tries_since(conn: Conn, volume_id: uuid.UUID, since: dt.datetime) -> int:
    """Return how many snapshots of a volume were begun for an end since then."""
    row = conn.execute(Q["tried_snapshots"], {"volume_id": volume_id, "since": since}).fetchone()
    return 0 if row is None else int(row["tries"])


def note_snapshot(conn: Conn, snapshot_id: uuid.UUID, state: str, **seen: Any) -> None:
    """Record what became of a snapshot: `handle`, `trouble`, `size_bytes`."""
    conn.execute(
        Q["note_snapshot"],
        {"handle": None, "trouble": None, "size_bytes": None} | seen | {"id": snapshot_id, "state": state},
    )
