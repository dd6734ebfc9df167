"""The next step of one disk, from its rows and what was seen. Pure, as `decide` is for reservations.

A volume is deleted only if a completed snapshot that was requested after its last detach exists, or its owner deleted the
disk and the time to have it back is over. The newest good snapshot of a live disk is never removed.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator

import attrs

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.store.rows import Row


@attrs.frozen(kw_only=True)
class DiskWorld:
    """A disk with its volumes and snapshots (newest first), who has it, and what was seen of open snapshots."""

    now: dt.datetime
    disk: Row
    volumes: list[Row]
    snapshots: list[Row]
    held: bool
    keep_volumes: dt.timedelta | None
    #: Why this control plane must not act where the disk is.
    paused: str | None = None
    sightings: dict[uuid.UUID, SnapshotSighting] = attrs.field(factory=dict)


@attrs.frozen
class DiskStep:
    """One idempotent thing to do next."""


@attrs.frozen
class DiskRest(DiskStep):
    """Nothing to do; look again after `delay`, or when something happens."""

    delay: dt.timedelta | None


@attrs.frozen
class AskSnapshot(DiskStep):
    """Ask storage for a snapshot that was intended."""

    snapshot: Row


@attrs.frozen
class NoteSnapshot(DiskStep):
    """Record what became of a snapshot."""

    sighting: SnapshotSighting


@attrs.frozen
class MarkSnapshot(DiskStep):
    """Mark a snapshot as never to be restored from again."""

    snapshot: Row


@attrs.frozen
class DeleteSnapshot(DiskStep):
    """Remove a marked snapshot."""

    snapshot: Row


@attrs.frozen
class MarkVolume(DiskStep):
    """Mark a volume as never mountable again, with what makes that safe."""

    volume: Row
    reason: str
    snapshot_id: uuid.UUID | None


@attrs.frozen
class DeleteVolume(DiskStep):
    """Remove a marked volume."""

    volume: Row


@attrs.frozen
class Purge(DiskStep):
    """Record that nothing of a deleted disk is left."""


NOTHING = dt.timedelta()
POLL = dt.timedelta(seconds=1)
#: A disk where we may not act is looked at this often; an adoption wakes it.
PAUSED_LOOK = dt.timedelta(minutes=1)


def decide_disk(world: DiskWorld, limits: Limits) -> DiskStep:
    """Return the next step of a disk. Where we may not act, nothing is decided either."""
    if world.paused is not None:
        return DiskRest(PAUSED_LOOK)
    for rule in (_open_snapshots, _going, _purging, _retention, _idle_volumes):
        step = rule(world, limits)
        if step is not None:
            return step
    coming = [left for _, _, left in _spare(world)]
    if world.disk["purge_at"] is not None and world.disk["purged_at"] is None:
        coming.append(world.disk["purge_at"] - world.now)
    return DiskRest(min(coming, default=None))


def _open_snapshots(world: DiskWorld, limits: Limits) -> DiskStep | None:
    waiting = False
    for snapshot in world.snapshots:
        if snapshot["state"] not in ("intended", "pending") or snapshot["reason"] != "asked":
            continue
        seen = world.sightings.get(snapshot["id"])
        if seen is None or seen.presence == "unknown":
            waiting = True
        elif seen.presence == "absent":
            return AskSnapshot(snapshot)
        elif seen.state in (SnapshotState.COMPLETED, SnapshotState.ERROR):
            return NoteSnapshot(seen)
        else:
            waiting = True
    return DiskRest(POLL) if waiting else None


def _going(world: DiskWorld, limits: Limits) -> DiskStep | None:
    for snapshot in world.snapshots:
        if snapshot["state"] == "deleting":
            return DeleteSnapshot(snapshot)
    for volume in world.volumes:
        if volume["state"] == "deleting":
            return DeleteVolume(volume)
    return None


def _purging(world: DiskWorld, limits: Limits) -> DiskStep | None:
    purge_at = world.disk["purge_at"]
    if purge_at is None or world.now < purge_at or world.disk["purged_at"] is not None:
        return None
    if world.held:
        return DiskRest(dt.timedelta(minutes=5))
    for volume in world.volumes:
        return MarkVolume(volume, "disk-deleted", None)
    for snapshot in world.snapshots:
        return MarkSnapshot(snapshot)
    return Purge()


def good(snapshots: list[Row]) -> list[Row]:
    """Return the snapshots one can restore from, newest first."""
    return [snapshot for snapshot in snapshots if snapshot["state"] == "completed"]


def _retention(world: DiskWorld, limits: Limits) -> DiskStep | None:
    """Drop the oldest good snapshots over the limit, never the newest one nor one that is about to be restored."""
    spared = {world.disk["restore_from"]}
    spared |= {volume[why] for volume in world.volumes for why in ("from_snapshot_id", "deletable_snapshot_id")}
    over = good(world.snapshots)[max(1, limits.keep_snapshots) :]
    droppable = [snapshot for snapshot in over if snapshot["id"] not in spared]
    return MarkSnapshot(droppable[-1]) if droppable else None


def _idle_volumes(world: DiskWorld, limits: Limits) -> DiskStep | None:
    """Let a volume go that was unused for long, or whose owner wants so."""
    due = (MarkVolume(volume, "snapshotted", saved["id"]) for volume, saved, left in _spare(world) if left <= NOTHING)
    return next(due, None)


def _spare(world: DiskWorld) -> Iterator[tuple[Row, Row, dt.timedelta]]:
    """Yield each volume whose content a snapshot has whole, with that, and how long it is kept all the same."""
    keep = NOTHING if world.disk["leaving"] else world.keep_volumes
    if keep is None or world.held:
        return
    for volume in world.volumes:
        detached = volume["detached_at"]
        saved = next((s for s in good(world.snapshots) if s["volume_id"] == volume["id"]), None)
        if (
            volume["state"] == "ready"
            and detached is not None
            and saved is not None
            and saved["requested_at"] > detached
        ):
            yield volume, saved, keep - (world.now - detached)
