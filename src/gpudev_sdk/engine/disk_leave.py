"""Frees a disk from its zone, as its owner asks."""

from __future__ import annotations

from gpudev_sdk.domain.user import User
from gpudev_sdk.engine import disk_edits
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.disk_decide import good
from gpudev_sdk.engine.disk_places import place_of
from gpudev_sdk.errors import Conflict
from gpudev_sdk.store import bell, disks, people
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import Row


def leave(engine: Engine, user: User, name: str) -> None:
    """Free a disk from its zone: its volume is given up for the snapshot that has all of it.

    A request that waits for that zone may start in another then. Raises NotFound, and Conflict where there is nothing to
    leave, the disk is in use, or no snapshot has all of it.
    """
    with engine.store.transaction("leave-place") as conn:
        people.lock_user(conn, user.id)
        conn.execute(disks.Q["lock_disk"], {"id": disk_edits.get(conn, user, name)["id"]})
        disk = disk_edits.get(conn, user, name)
        holder = conn.execute(Q["disk_user"], {"disk_id": disk["id"]}).fetchone()
        if holder is not None and holder["state"] != "queued":
            raise Conflict(
                f"the disk {name!r} is in use by {holder['name']!r} ({holder['state']})",
                hint=f"To move it, end that reservation first: gpudev cancel {holder['name']}.",
            )
        _check_can_leave(disk, disks.find_volume(conn, disk["volume_id"]), disks.snapshots_of(conn, disk["id"]))
        conn.execute(disks.Q["leave_place"], {"id": disk["id"]})
        bell.ring_work(conn, "disk", disk["id"])


def _check_can_leave(disk: Row, volume: Row | None, snapshots: list[Row]) -> None:
    place, name = place_of(disk), disk["name"]
    if place.node is not None:
        raise Conflict(
            f"the disk {name!r} is a folder of the machine {place.node}, and its snapshots are there too",
            hint="Copy it: a box with it, another box elsewhere with a new disk, and rsync between them.",
        )
    if volume is None or place.zone is None:
        raise Conflict(
            f"the disk {name!r} is tied to no zone now", hint="Reserve where you like; nothing is to be done."
        )
    detached = volume["detached_at"]
    saved = [found for found in good(snapshots) if found["volume_id"] == volume["id"]]
    if volume["state"] != "ready" or detached is None or not any(found["requested_at"] > detached for found in saved):
        raise Conflict(
            f"no complete snapshot has all of the disk {name!r}",
            hint=f"Take one (gpudev disk snapshot {name}), and move it when gpudev disk snapshots {name} shows it complete.",
        )
