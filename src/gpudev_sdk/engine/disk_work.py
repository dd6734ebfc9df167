"""Works on one disk until it rests: the impure half of `decide_disk`."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from gpudev_sdk import fault
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSighting, SnapshotSpec, SnapshotState
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.disk_decide import (
    AskSnapshot,
    DeleteSnapshot,
    DeleteVolume,
    DiskRest,
    DiskStep,
    DiskWorld,
    MarkSnapshot,
    MarkVolume,
    NoteSnapshot,
    Purge,
    decide_disk,
)
from gpudev_sdk.engine.look import volume_ref
from gpudev_sdk.errors import Conflict, NoCapacity, NotFound, TryLater, Unworkable
from gpudev_sdk.store import bell, disks
from gpudev_sdk.store.rows import Conn, Row

LEASE = dt.timedelta(seconds=20)
#: How long what is refused for now is left alone.
CROWDED = dt.timedelta(minutes=1)
#: A disk rests after fewer steps than this: each of its volumes and snapshots takes two at most.
MOST_STEPS = 1000
#: A marked volume whose snapshot was lost stays, and waits for a person.
LOST = dt.timedelta(hours=1)
#: How what is refused for good begins; it is over when it is done after all.
REFUSED = "refused by its storage: "

log = structlog.get_logger()


class DiskWork:
    """One processor's work on disks."""

    def __init__(self, engine: Engine, claims: Claims, name: str) -> None:
        self.engine = engine
        self.claims = claims
        self.name = name
        self._by_step: dict[type[DiskStep], Callable[[DiskWorld, Any], dt.timedelta | None]] = {
            AskSnapshot: self._ask_snapshot,
            NoteSnapshot: self._note_snapshot,
            MarkSnapshot: self._mark_snapshot,
            DeleteSnapshot: self._delete_snapshot,
            MarkVolume: self._mark_volume,
            DeleteVolume: self._delete_volume,
            Purge: self._purge,
        }

    def work_on(self, disk_id: uuid.UUID) -> None:
        """Take the disk's lease and do what it wants."""
        with self.engine.store.transaction("record-disk-lease") as conn:
            lease = conn.execute(
                disks.Q["lease_disk_row"], {"id": disk_id, "holder": self.name, "ttl": LEASE}
            ).fetchone()
        if lease is None:
            return
        epoch = lease["lease_epoch"]
        for _ in range(MOST_STEPS):
            world = self._look(disk_id)
            if world.disk["lease_epoch"] != epoch:
                return
            step = decide_disk(world, self.engine.limits)
            delay = step.delay if isinstance(step, DiskRest) else self._act(world, step)
            if delay != dt.timedelta() and self._rest(world, epoch, delay):
                return
        raise RuntimeError(f"disk {disk_id} found no rest in {MOST_STEPS} steps")

    def _rest(self, world: DiskWorld, epoch: int, delay: dt.timedelta | None) -> bool:
        """Let go of the disk; return False if something was wished of it since the look, which is then looked at."""
        fields = {"id": world.disk["id"], "epoch": epoch, "generation": world.disk["generation"], "delay": delay}
        with self.engine.store.transaction("record-disk-rest") as conn:
            return conn.execute(disks.Q["rest_disk"], fields).rowcount == 1

    def _act(self, world: DiskWorld, step: DiskStep) -> dt.timedelta | None:
        try:
            return self._by_step[type(step)](world, step) or dt.timedelta()
        except TryLater as error:
            return dt.timedelta(seconds=error.delay)
        except (NoCapacity, Conflict) as error:
            # A quota is full, or somebody has it still: both pass, and until then the disk keeps what it has.
            log.warning("a disk has to wait", disk=str(world.disk["id"]), reason=error.message)
            return CROWDED
        except Unworkable as error:
            # Somebody locked it, or made another of its name: a person has to look, and meanwhile it is seldom asked for.
            with self.engine.store.transaction("record-disk-attention") as conn:
                why = f"{REFUSED}{error.message[:300]}"
                conn.execute(disks.Q["attend_disk"], {"id": world.disk["id"], "why": why})
            return LOST

    def _look(self, disk_id: uuid.UUID) -> DiskWorld:
        with self.engine.store.transaction() as conn:
            world = self._read(conn, disk_id)
        open_ones = [s for s in world.snapshots if s["state"] in ("intended", "pending") and s["reason"] == "asked"]
        for snapshot in open_ones:
            world.sightings[snapshot["id"]] = self._see(snapshot)
        return world

    def _read(self, conn: Conn, disk_id: uuid.UUID) -> DiskWorld:
        disk = disks.find_by_id(conn, disk_id)
        if disk is None:
            raise LookupError(f"no disk {disk_id}")
        held = {row["disk_id"] for row in conn.execute(disks.Q["held_disks"])}
        backend = None if disk["backend"] is None else self.engine.backends.get(disk["backend"])
        return DiskWorld(
            now=disk["now"],
            disk=disk,
            volumes=disks.volumes_of(conn, disk_id),
            snapshots=disks.snapshots_of(conn, disk_id),
            held=disk_id in held,
            keep_volumes=None if backend is None else backend.storage.keep_volumes,
            paused=disk["paused"],
        )

    def _see(self, snapshot: Row) -> SnapshotSighting:
        try:
            return self._storage(snapshot).storage.get_snapshot(_ref(snapshot))
        except TryLater as error:
            return SnapshotSighting(snapshot_id=snapshot["id"], presence="unknown", reason=error.message)

    def _storage(self, row: Row) -> Backend:
        return self.engine.backend(row["backend"])

    def _ask_snapshot(self, world: DiskWorld, step: AskSnapshot) -> dt.timedelta | None:
        row = step.snapshot
        self.claims.before_effect(row["backend"])
        volume = next(volume for volume in world.volumes if volume["id"] == row["volume_id"])
        spec = SnapshotSpec(snapshot_id=row["id"], volume=volume_ref(volume), owner_number=world.disk["owner_number"])
        try:
            with fault.step("asked-snapshot"):
                handle = self._storage(row).storage.create_snapshot(spec)
        except (Unworkable, NotFound) as error:
            # It will not come, and must not keep the disk from all else.
            with self.engine.store.transaction("record-no-asked-snapshot") as conn:
                disks.note_snapshot(conn, row["id"], "error", trouble=error.message)
            return None
        with self.engine.store.transaction("record-asked-snapshot") as conn:
            disks.note_snapshot(conn, row["id"], "pending", handle=handle)
        return dt.timedelta(milliseconds=100)

    def _note_snapshot(self, world: DiskWorld, step: NoteSnapshot) -> None:
        seen = step.sighting
        with self.engine.store.transaction("record-asked-snapshot-seen") as conn:
            disks.note_snapshot(
                conn, seen.snapshot_id, str(seen.state), handle=seen.handle, size_bytes=seen.size_bytes,
                trouble=seen.reason or None,
            )  # fmt: skip

    def _mark_snapshot(self, world: DiskWorld, step: MarkSnapshot) -> None:
        with self.engine.store.transaction("record-snapshot-going") as conn:
            if not _is_as_seen(conn, world):
                return
            conn.execute(disks.Q["snapshot_going"], {"id": step.snapshot["id"], "state": "deleting"})

    def _delete_snapshot(self, world: DiskWorld, step: DeleteSnapshot) -> None:
        self.claims.before_effect(step.snapshot["backend"])
        with fault.step("delete-snapshot"):
            self._storage(step.snapshot).storage.delete_snapshot(_ref(step.snapshot))
        with self.engine.store.transaction("record-snapshot-deleted") as conn:
            conn.execute(disks.Q["snapshot_going"], {"id": step.snapshot["id"], "state": "deleted"})
            conn.execute(disks.Q["calm_disk"], {"id": world.disk["id"], "why": REFUSED})

    def _mark_volume(self, world: DiskWorld, step: MarkVolume) -> None:
        if step.snapshot_id is not None and not self._is_saved(world, step.snapshot_id):
            return
        fields = {"id": step.volume["id"], "reason": step.reason, "snapshot_id": step.snapshot_id}
        with self.engine.store.transaction("record-volume-going") as conn:
            if not _is_as_seen(conn, world):
                return
            conn.execute(disks.Q["volume_deleting"], fields)
            conn.execute(disks.Q["forget_volume"], {"id": world.disk["id"], "volume_id": step.volume["id"],
                                                    "restore_from": step.snapshot_id})  # fmt: skip
            # Whoever waits for the disk's zone may start in another now.
            bell.want_plan(conn)

    def _is_saved(self, world: DiskWorld, snapshot_id: uuid.UUID) -> bool:
        """See with our own eyes that the snapshot which has a volume's content is still there; note one that is not."""
        snapshot = next(found for found in world.snapshots if found["id"] == snapshot_id)
        seen = self._see(snapshot)
        if seen.presence == "present" and seen.state is SnapshotState.COMPLETED:
            return True
        if seen.presence != "absent":
            # It was complete once: a view that shows it on its way is an old one, and nobody deleted it.
            raise TryLater(f"the snapshot {snapshot_id} is not seen complete now", delay=5.0)
        with self.engine.store.transaction("record-snapshot-lost") as conn:
            disks.note_snapshot(conn, snapshot_id, "error", trouble="somebody else deleted it")
            why = f"its snapshot {snapshot_id} was deleted by somebody else; the volume is kept"
            conn.execute(disks.Q["attend_disk"], {"id": world.disk["id"], "why": why})
        return False

    def _delete_volume(self, world: DiskWorld, step: DeleteVolume) -> dt.timedelta | None:
        volume = step.volume
        self.claims.before_effect(volume["backend"])
        if volume["delete_reason"] == "snapshotted" and not self._is_saved(world, volume["deletable_snapshot_id"]):
            return LOST
        with fault.step("delete-volume"):
            self._storage(volume).storage.delete_volume(volume_ref(volume))
        with self.engine.store.transaction("record-volume-deleted") as conn:
            conn.execute(disks.Q["volume_deleted"], {"id": volume["id"]})
            conn.execute(disks.Q["calm_disk"], {"id": world.disk["id"], "why": REFUSED})
        return None

    def _purge(self, world: DiskWorld, step: Purge) -> None:
        with self.engine.store.transaction("record-purge") as conn:
            if not _is_as_seen(conn, world):
                return
            conn.execute(disks.Q["purge_disk"], {"id": world.disk["id"]})


def _is_as_seen(conn: Conn, world: DiskWorld) -> bool:
    """Lock the disk, and say whether nobody worked on it, took it or wished anything of it since the look; else look again."""
    conn.execute(disks.Q["lock_disk"], {"id": world.disk["id"]})
    now = conn.execute(disks.Q["disk_as_locked"], {"id": world.disk["id"]}).fetchone()
    seen = (world.disk["generation"], world.disk["lease_epoch"], world.held)
    return now is not None and (now["generation"], now["lease_epoch"], now["held"]) == seen


def _ref(snapshot: Row) -> SnapshotRef:
    return SnapshotRef(snapshot_id=snapshot["id"], disk_id=snapshot["disk_id"], handle=snapshot["handle"])
