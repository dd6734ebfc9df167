"""Brings up the volume of a reservation's disk: found, made, or restored; never an empty one in place of content."""

from __future__ import annotations

import datetime as dt
import uuid

from gpudev_sdk import fault
from gpudev_sdk.domain.disk import Reach, SnapshotRef, VolumeSpec
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.look import Look, volume_ref
from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.store import disks, ids
from gpudev_sdk.store.reservations import Entry, Stale, record
from gpudev_sdk.store.rows import Conn, Row

AT_ONCE = dt.timedelta()
POLL = dt.timedelta(milliseconds=200)


def ensure(engine: Engine, look: Look, actor: str) -> dt.timedelta:
    """Do the next thing that brings the volume up."""
    row, disk = look.row, look.disk
    if disk is None:
        raise Unworkable("the disk is gone", hint="`gpudev disk list --deleted` shows what can be had back.")
    if row.volume_id is None or disk["volume_id"] != row.volume_id:
        with engine.store.transaction("record-volume") as conn:
            volume_id = disk["volume_id"] or _intend(conn, look, disk, engine.backend(row.backend).storage.reach)
            record(conn, row, {"volume_id": volume_id}, Entry(what="volume", actor=actor))
        return AT_ONCE
    assert look.volume is not None  # a foreign key
    return _bring_up(engine, look, look.volume, disk)


def _intend(conn: Conn, look: Look, disk: Row, reach: Reach) -> uuid.UUID:
    """Write down a new volume before it is made. Refuses where older content could be shadowed by an empty one."""
    source = disk["restore_from"]
    if source is None and disks.volumes_of(conn, disk["id"]):
        raise Unworkable(
            "the disk has content but no volume to mount", hint="Restore one of its snapshots: gpudev disk snapshots."
        )
    volume_id = ids.new()
    place = {"id": volume_id, "disk_id": disk["id"], "backend": look.row.backend, "node": look.row.node}
    conn.execute(disks.Q["insert_volume"], place | {"reach": reach, "from_snapshot_id": source})
    done = conn.execute(
        disks.Q["place_disk"],
        {
            "id": disk["id"],
            "generation": disk["generation"],
            "volume_id": volume_id,
            "backend": look.row.backend,
            "node": look.row.node,
        },
    )
    if done.rowcount != 1:
        raise Stale
    return volume_id


def _bring_up(engine: Engine, look: Look, volume: Row, disk: Row) -> dt.timedelta:
    if volume["handle"] is None:
        # It is not known to have been made. If it was, asking for it again finds it.
        return _make(engine, look, volume, disk)
    storage = engine.backend(look.row.backend).storage
    seen = storage.get_volume(volume_ref(volume))
    if seen.presence == "unknown":
        raise TryLater(f"cannot tell whether the disk's volume is there: {seen.reason}")
    if seen.presence == "absent":
        return _make(engine, look, volume, disk)
    if not seen.ready:
        return POLL
    with engine.store.transaction("record-volume-ready") as conn:
        conn.execute(disks.Q["volume_ready"], {"id": volume["id"], "handle": seen.handle})
    return AT_ONCE


def _make(engine: Engine, look: Look, volume: Row, disk: Row) -> dt.timedelta:
    handle = _create(engine, look, volume, disk)
    with engine.store.transaction("record-volume-made") as conn:
        conn.execute(disks.Q["note_volume_handle"], {"id": volume["id"], "handle": handle})
    return AT_ONCE


def _create(engine: Engine, look: Look, volume: Row, disk: Row) -> str:
    row = look.row
    storage = engine.backend(row.backend).storage
    spec = VolumeSpec(
        volume_id=volume["id"],
        disk_id=disk["id"],
        owner_number=row.owner_number,
        size_bytes=disk["size_bytes"],
        node=row.node or "",
        zone=volume["zone"],
    )
    if volume["from_snapshot_id"] is None:
        with fault.step("create-volume"):
            return storage.create_volume(spec)
    with engine.store.transaction() as conn:
        snapshot = disks.find_snapshot(conn, volume["from_snapshot_id"])
    if snapshot is None or snapshot["state"] != "completed":
        raise Unworkable("the snapshot to restore from is not complete")
    ref = SnapshotRef(snapshot_id=snapshot["id"], disk_id=disk["id"], handle=snapshot["handle"])
    with fault.step("create-volume-from-snapshot"):
        return storage.create_volume_from_snapshot(spec, ref)
