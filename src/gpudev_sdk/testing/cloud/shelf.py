"""Volumes and snapshots of a simulated cloud: their content is what was written and synced, and nothing else."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Callable

import attrs

from gpudev_sdk.domain.disk import SnapshotSpec, SnapshotState, VolumeSpec
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.testing.cloud.ledger import MEMORY, Ledger
from gpudev_sdk.testing.cloud.sky import Sky
from gpudev_sdk.testing.cloud.truth import (
    CloudSnapshot,
    CloudVolume,
    Content,
    Deletion,
    MountSeen,
    SnapshotDeletion,
)

#: An install and one of its volumes.
VolumeKey = tuple[uuid.UUID, uuid.UUID]


class Shelf:
    """The truth about volumes and snapshots."""

    def __init__(self, sky: Sky) -> None:
        self._sky = sky
        self.volumes: Ledger[VolumeKey, CloudVolume] = Ledger()
        #: By the cloud's own handles; our ids are tags, and more than one may carry the same.
        self.snapshots: Ledger[str, CloudSnapshot] = Ledger()
        self.deletions: list[Deletion] = []
        self.snapshot_deletions: list[SnapshotDeletion] = []
        #: Told of a volume that became free or ready.
        self.on_detached: Callable[[uuid.UUID, dt.datetime], None] = lambda volume_id, at: None
        self._numbers = itertools.count(1)

    def find_volume(self, install_id: uuid.UUID, volume_id: uuid.UUID) -> CloudVolume | None:
        """Return the install's volume of that id."""
        return self.volumes.find((install_id, volume_id))

    def own_snapshots(self, install_id: uuid.UUID, snapshot_id: uuid.UUID) -> list[CloudSnapshot]:
        """Return the install's own snapshots of that id, the oldest first: more than one where a call was doubled."""
        return [
            snapshot
            for snapshot in self.snapshots.all()
            if snapshot.snapshot_id == snapshot_id and snapshot.install_id == install_id and not snapshot.foreign
        ]

    def make_volume(self, install_id: uuid.UUID, spec: VolumeSpec, zone: str, content: Content) -> CloudVolume:
        """Make a volume, or return the one that was made with this token."""
        key = (install_id, spec.volume_id)
        found = self.volumes.find(key)
        if found is not None:
            return found
        now = self._sky.clock.now
        self.volumes.forget(now - MEMORY)
        volume = CloudVolume(
            handle=f"vol-{next(self._numbers):06}",
            volume_id=spec.volume_id,
            disk_id=spec.disk_id,
            install_id=install_id,
            zone=zone,
            content=content,
            made_at=now,
        )
        self.volumes.put(key, volume, now)

        def ready(at: dt.datetime) -> None:
            self._change(key, at, ready=True)
            self.on_detached(volume.volume_id, at)

        self._sky.after(self._sky.weather.volume, ready, since=now)
        return volume

    def delete_volume(self, install_id: uuid.UUID, volume_id: uuid.UUID) -> None:
        """Delete a volume that nothing has; gone is fine."""
        volume = self.find_volume(install_id, volume_id)
        if volume is None:
            return
        if volume.attached is not None:
            raise Conflict(f"{volume.handle} is attached to {volume.attached}")
        now = self._sky.clock.now
        self.volumes.drop((install_id, volume_id), now)
        saved = not volume.content or any(
            snapshot.volume_id == volume.volume_id
            and snapshot.state is SnapshotState.COMPLETED
            and not snapshot.foreign
            and set(volume.content) <= set(snapshot.content)
            for snapshot in self.snapshots.all()
        )
        self.deletions.append(
            Deletion(volume_id=volume.volume_id, disk_id=volume.disk_id, content=volume.content, saved=saved, at=now)
        )

    def content_of(self, install_id: uuid.UUID, snapshot_id: uuid.UUID, disk_id: uuid.UUID) -> Content:
        """Return what a completed snapshot of the disk has; raise where there is none."""
        found = [s for s in self.own_snapshots(install_id, snapshot_id) if s.disk_id == disk_id]
        completed = [snapshot for snapshot in found if snapshot.state is SnapshotState.COMPLETED]
        if completed:
            return completed[0].content
        if any(snapshot.state is SnapshotState.PENDING for snapshot in found):
            raise TryLater("the snapshot is still being taken")
        raise Unworkable("the snapshot is not there", hint="Restore another one: gpudev disk snapshots.")

    def take_snapshot(self, install_id: uuid.UUID, spec: SnapshotSpec) -> CloudSnapshot:
        """Begin a snapshot, or return the one that was begun with this token, where tokens are known."""
        found = self.own_snapshots(install_id, spec.snapshot_id)
        if found and not self._sky.weather.doubled_snapshots:
            return found[0]
        volume = self.find_volume(install_id, spec.volume.volume_id)
        if volume is None or volume.disk_id != spec.volume.disk_id:
            raise Unworkable("there is no such volume to take a snapshot of")
        now = self._sky.clock.now
        self.snapshots.forget(now - MEMORY)
        snapshot = CloudSnapshot(
            handle=f"snap-{next(self._numbers):06}",
            snapshot_id=spec.snapshot_id,
            volume_id=volume.volume_id,
            disk_id=volume.disk_id,
            install_id=install_id,
            content=volume.content,
            requested_at=now,
        )
        self.snapshots.put(snapshot.handle, snapshot, now)
        bad = self._sky.chance("snapshot_error", self._sky.weather.snapshot_error)
        self._sky.after(
            self._sky.weather.snapshot, lambda at: self._end_snapshot(snapshot.handle, at, bad=bad), since=now
        )
        return snapshot

    def delete_snapshot(self, handle: str) -> None:
        """Delete a snapshot; gone is fine."""
        snapshot = self.snapshots.find(handle)
        if snapshot is None:
            return
        now = self._sky.clock.now
        self.snapshots.drop(handle, now)
        newer = any(
            other.disk_id == snapshot.disk_id
            and other.state is SnapshotState.COMPLETED
            and not other.foreign
            and other.requested_at >= snapshot.requested_at
            for other in self.snapshots.all()
        )
        newest = snapshot.state is SnapshotState.COMPLETED and not newer
        self.snapshot_deletions.append(
            SnapshotDeletion(
                snapshot_id=snapshot.snapshot_id, disk_id=snapshot.disk_id, content=snapshot.content, newest=newest, at=now
            )
        )  # fmt: skip

    def copy_foreign(self, snapshot_id: uuid.UUID) -> CloudSnapshot:
        """Let somebody else have a completed copy with the same tags, and other content."""
        found = next(s for s in self.snapshots.all() if s.snapshot_id == snapshot_id)
        now = self._sky.clock.now
        copy = attrs.evolve(
            found, handle=f"snap-{next(self._numbers):06}", content=("foreign",), foreign=True,
            state=SnapshotState.COMPLETED, requested_at=now, completed_at=now, reason="",
        )  # fmt: skip
        self.snapshots.put(copy.handle, copy, now)
        return copy

    def write(self, install_id: uuid.UUID, volume_id: uuid.UUID, marker: str) -> None:
        """Put a marker on a volume."""
        volume = self.find_volume(install_id, volume_id)
        if volume is None:
            raise Conflict("the volume is gone")
        self._change((install_id, volume_id), self._sky.clock.now, content=(*volume.content, marker))

    def attach(self, key: tuple[uuid.UUID, ServerId], volume_id: uuid.UUID, at: dt.datetime) -> None:
        """Give a free volume to a server."""
        volume = self.find_volume(key[0], volume_id)
        assert volume is not None and volume.attached is None  # as the machines saw
        self._change((key[0], volume_id), at, attached=key[1])

    def detach(self, key: tuple[uuid.UUID, ServerId], at: dt.datetime) -> None:
        """Take whatever volume a server has from it."""
        for volume in self.volumes.all():
            if volume.install_id == key[0] and volume.attached == key[1]:
                self._change((key[0], volume.volume_id), at, attached=None)
                self.on_detached(volume.volume_id, at)

    def mount_seen(self, key: tuple[uuid.UUID, ServerId], volume_id: uuid.UUID, at: dt.datetime) -> MountSeen:
        """Return what a server finds on its volume."""
        volume = self.find_volume(key[0], volume_id)
        assert volume is not None  # an attached volume is not deleted
        return MountSeen(server_id=key[1], disk_id=volume.disk_id, volume_id=volume_id, content=volume.content, at=at)

    def _end_snapshot(self, handle: str, at: dt.datetime, *, bad: bool) -> None:
        snapshot = self.snapshots.find(handle)
        if snapshot is None:
            return
        if bad:
            ended = attrs.evolve(snapshot, state=SnapshotState.ERROR, reason="internal error of the cloud")
        else:
            ended = attrs.evolve(snapshot, state=SnapshotState.COMPLETED, completed_at=at)
        self.snapshots.put(handle, ended, at)

    def _change(self, key: VolumeKey, at: dt.datetime, **changes: object) -> None:
        volume = self.volumes.find(key)
        if volume is not None:
            self.volumes.put(key, attrs.evolve(volume, **changes), at)  # type: ignore[arg-type]
