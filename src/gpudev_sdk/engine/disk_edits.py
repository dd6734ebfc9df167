"""What an owner may do with their disks: make, snapshot, restore, delete, and have back."""

from __future__ import annotations

import uuid

from gpudev_sdk.domain.names import ID_PREFIX, check_name
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.submit import check_room_for_disk, make_disk
from gpudev_sdk.errors import Conflict, NotFound
from gpudev_sdk.store import bell, disks, ids, people
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import Conn, Row


def create(engine: Engine, user: User, name: str, size_bytes: int | None) -> None:
    """Make a disk; its volume comes with its first use."""
    check_name(name, kind="disk")
    with engine.store.transaction("create-disk") as conn:
        people.lock_user(conn, user.id)
        make_disk(conn, engine, user, name, size_bytes)


def get(conn: Conn, user: User, name: str, *, live: bool = True) -> Row:
    """Return one's own disk; foreign ones look absent."""
    disk = disks.find(conn, user.id, name, live=live)
    if disk is None:
        kind = "disk" if live else "deleted disk"
        raise NotFound(f"you have no {kind} {name[:40]!r}", hint="`gpudev disk list` shows what you have.")
    return disk


def _idle(conn: Conn, disk: Row, to: str) -> None:
    holder = conn.execute(Q["disk_user"], {"disk_id": disk["id"]}).fetchone()
    if holder is not None:
        raise Conflict(
            f"the disk {disk['name']!r} is in use by {holder['name']!r} ({holder['state']})",
            hint=f"To {to} it, end that reservation first: gpudev cancel {holder['name']}.",
        )


def delete(engine: Engine, user: User, name: str) -> None:
    """Put a disk away; it can be had back for a month."""
    with engine.store.transaction("delete-disk") as conn:
        people.lock_user(conn, user.id)
        disk = get(conn, user, name)
        _idle(conn, disk, "delete")
        conn.execute(disks.Q["delete_disk"], {"id": disk["id"], "keep": engine.limits.undelete})


def undelete(engine: Engine, user: User, name: str) -> None:
    """Have a deleted disk back."""
    with engine.store.transaction("undelete-disk") as conn:
        people.lock_user(conn, user.id)
        if disks.find(conn, user.id, name) is not None:
            raise Conflict(f"you have a disk {name!r} again", hint="Delete or rename that one first.")
        disk = get(conn, user, name, live=False)
        conn.execute(disks.Q["lock_disk"], {"id": disk["id"]})
        check_room_for_disk(conn, engine, user)
        if conn.execute(disks.Q["undelete_disk"], {"id": disk["id"]}).rowcount != 1:
            raise Conflict(f"the disk {name!r} is being removed for good")


def snapshot(engine: Engine, user: User, name: str) -> uuid.UUID:
    """Ask for a snapshot of an idle disk; return its id."""
    with engine.store.transaction("ask-snapshot") as conn:
        people.lock_user(conn, user.id)
        conn.execute(disks.Q["lock_disk"], {"id": get(conn, user, name)["id"]})
        disk = get(conn, user, name)
        _idle(conn, disk, "snapshot")
        volume = disks.find_volume(conn, disk["volume_id"])
        if volume is None or volume["state"] != "ready":
            raise Conflict(
                f"the disk {name!r} has no volume now: nothing was written since its newest snapshot, if it was ever used",
                hint=f"See what there is: gpudev disk snapshots {name}.",
            )
        open_ones = [s for s in disks.snapshots_of(conn, disk["id"]) if s["state"] in ("intended", "pending")]
        if open_ones:
            return uuid.UUID(str(open_ones[0]["id"]))
        snapshot_id = ids.new()
        fields = {"id": snapshot_id, "disk_id": disk["id"], "volume_id": disk["volume_id"], "backend": disk["backend"]}
        conn.execute(disks.Q["insert_snapshot"], fields | {"reason": "asked"})
        conn.execute(disks.Q["wish_of_disk"], {"id": disk["id"]})
        bell.ring_work(conn, "disk", disk["id"])
        return snapshot_id


def restore(engine: Engine, user: User, name: str, ref: str) -> None:
    """Have the disk's content be a snapshot's from its next use on; what it holds now stays as a volume of the disk."""
    with engine.store.transaction("restore-disk") as conn:
        people.lock_user(conn, user.id)
        conn.execute(disks.Q["lock_disk"], {"id": get(conn, user, name)["id"]})
        disk = get(conn, user, name)
        _idle(conn, disk, "restore")
        fitting = [
            found
            for found in disks.snapshots_of(conn, disk["id"])
            if found["state"] == "completed" and ID_PREFIX.match(ref) and str(found["id"]).startswith(ref)
        ]
        if not fitting:
            raise NotFound(
                f"{name!r} has no good snapshot {ref[:40]!r}", hint=f"List them: gpudev disk snapshots {name}."
            )
        if len(fitting) > 1:
            raise Conflict(f"{ref!r} begins the ids of several snapshots", hint="Give more of the id.")
        fields = {"id": disk["id"], "generation": disk["generation"], "snapshot_id": fitting[0]["id"]}
        if conn.execute(disks.Q["restore_disk"], fields).rowcount != 1:
            raise Conflict("the disk changed meanwhile", hint="Try again.")
