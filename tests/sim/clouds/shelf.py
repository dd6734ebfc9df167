"""Volumes and snapshots of a cloud whose own API made them: what its fake has is the truth, and time and content are added here.

The fake knows what there is; a volume that takes a while, a snapshot that fails and what people wrote are the simulation's.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.testing.cloud.shelf import Shelf
from gpudev_sdk.testing.cloud.sky import Sky
from gpudev_sdk.testing.cloud.truth import CloudSnapshot, CloudVolume, Content, Deletion

Key = tuple[uuid.UUID, object]


@attrs.frozen(kw_only=True)
class Drive:
    """A volume as the fake has it."""

    handle: str
    install_id: uuid.UUID
    volume_id: uuid.UUID
    disk_id: uuid.UUID
    zone: str
    #: The snapshot it was made of, by the cloud's own name.
    made_of: str | None


@attrs.frozen(kw_only=True)
class Shot:
    """A snapshot as the fake has it."""

    handle: str
    install_id: uuid.UUID
    snapshot_id: uuid.UUID
    volume_id: uuid.UUID
    disk_id: uuid.UUID
    #: The volume it was taken of, by the cloud's own name.
    source: str


class Vault(Protocol):
    """What a fake has, and what time does to it. Handles are the cloud's own."""

    def drives(self) -> Iterable[str]:
        """Return what volumes of ours there are, but for those that are being deleted."""

    def shots(self) -> Iterable[str]:
        """Return what snapshots of ours there are, but for those that are being deleted and copies by others."""

    def drive(self, handle: str) -> Drive:
        """Return a volume."""

    def shot(self, handle: str, at: dt.datetime) -> Shot:
        """Return a snapshot that was seen for the first time, and have it be begun at that moment."""

    def make_ready(self, handle: str) -> None:
        """Let a volume be ready."""

    def attach(self, handle: str, node: str) -> None:
        """Let a machine have a volume."""

    def detach(self, handle: str) -> None:
        """Let no machine have a volume."""

    def end_shot(self, handle: str, *, bad: bool) -> None:
        """Let a snapshot be complete, or fail."""

    def copy(self, handle: str) -> None:
        """Let somebody else have a copy of a snapshot, with our tags."""

    def drop_shot(self, handle: str) -> None:
        """Let somebody delete a snapshot."""

    def named(self, source: str) -> str | None:
        """Return the volume that a driver calls so, if there is one."""


class PluginShelf(Shelf):
    """The truth about what a plugin made."""

    def __init__(self, sky: Sky, vault: Vault, node_of: Callable[[Key], str]) -> None:
        super().__init__(sky)
        self._vault, self._node_of = vault, node_of
        self._drives: dict[str, Drive] = {}
        self._shots: dict[str, Shot] = {}
        #: What no API of a cloud may be left with, in words.
        self.broken: list[str] = []

    def sync(self) -> None:
        """Take over what is there now and was not, and what is not there any more."""
        now, drives, shots = self._sky.clock.now, list(self._vault.drives()), list(self._vault.shots())
        # A volume that was made of a snapshot has its content, also if that is gone by now; so volumes appear before those go.
        for handle in [handle for handle in drives if handle not in self._drives]:
            self._appear(self._vault.drive(handle), now)
        for handle in [handle for handle in shots if handle not in self._shots]:
            self._begin(self._vault.shot(handle, now), now)
        for handle in sorted(self._shots.keys() - set(shots)):
            del self._shots[handle]
            self.delete_snapshot(handle)
        for handle in sorted(self._drives.keys() - set(drives)):
            self._vanish(self._drives.pop(handle), now)

    def find_drive(self, source: str) -> Drive | None:
        """Return the volume that a driver calls so."""
        return self._drives.get(self._vault.named(source) or "")

    def attach(self, key: Key, volume_id: uuid.UUID, at: dt.datetime) -> None:  # type: ignore[override]
        """Give a free volume to a server, and the machine that it is on."""
        super().attach(key, volume_id, at)  # type: ignore[arg-type]
        volume = self.find_volume(key[0], volume_id)
        assert volume is not None
        self._vault.attach(volume.handle, self._node_of(key))

    def detach(self, key: Key, at: dt.datetime) -> None:  # type: ignore[override]
        """Take whatever volume a server has from it."""
        for volume in self.volumes.all():
            if volume.install_id == key[0] and volume.attached == key[1] and volume.handle in self._drives:
                self._vault.detach(volume.handle)
        super().detach(key, at)  # type: ignore[arg-type]

    def copy_foreign(self, snapshot_id: uuid.UUID) -> CloudSnapshot:
        """Let somebody else have a copy of a snapshot, with its tags."""
        found = next(s for s in self.snapshots.all() if s.snapshot_id == snapshot_id)
        self._vault.copy(found.handle)
        return found

    def lose(self, snapshot_id: uuid.UUID) -> None:
        """Let somebody else delete a snapshot of ours; no deletion is recorded."""
        for snapshot in [s for s in self.snapshots.all() if s.snapshot_id == snapshot_id]:
            self._vault.drop_shot(snapshot.handle)
            self._shots.pop(snapshot.handle)
            self.snapshots.drop(snapshot.handle, self._sky.clock.now)

    def _appear(self, drive: Drive, now: dt.datetime) -> None:
        key = (drive.install_id, drive.volume_id)
        if (other := self.volumes.find(key)) is not None:
            self.broken.append(f"two volumes were made for one: {other.handle} and {drive.handle}")
        self._drives[drive.handle] = drive
        volume = CloudVolume(
            handle=drive.handle, volume_id=drive.volume_id, disk_id=drive.disk_id, install_id=drive.install_id,
            zone=drive.zone, content=self._content_of(drive), made_at=now,
        )  # fmt: skip
        self.volumes.put(key, volume, now)

        def ready(at: dt.datetime) -> None:
            if drive.handle in self._drives:
                self._vault.make_ready(drive.handle)
                self._change(key, at, ready=True)
                self.on_detached(drive.volume_id, at)

        self._sky.after(self._sky.weather.volume, ready, since=now)

    def _content_of(self, drive: Drive) -> Content:
        if drive.made_of is None:
            return ()
        source = self.snapshots.find(drive.made_of)
        if source is None or source.state is not SnapshotState.COMPLETED:
            self.broken.append(f"{drive.handle} was made of {drive.made_of}, which is no completed snapshot")
            return ()
        return source.content

    def _begin(self, shot: Shot, now: dt.datetime) -> None:
        self._shots[shot.handle] = shot
        volume = self.volumes.find((shot.install_id, shot.volume_id))
        if volume is None or volume.handle != shot.source or volume.disk_id != shot.disk_id:
            self.broken.append(f"{shot.handle} was taken of {shot.source}, which is not what its tags say")
            return
        snapshot = CloudSnapshot(
            handle=shot.handle, snapshot_id=shot.snapshot_id, volume_id=shot.volume_id, disk_id=shot.disk_id,
            install_id=shot.install_id, content=volume.content, requested_at=now,
        )  # fmt: skip
        self.snapshots.put(shot.handle, snapshot, now)
        bad = self._sky.chance("snapshot_error", self._sky.weather.snapshot_error)

        def end(at: dt.datetime) -> None:
            if shot.handle in self._shots:
                self._vault.end_shot(shot.handle, bad=bad)
                self._end_snapshot(shot.handle, at, bad=bad)

        self._sky.after(self._sky.weather.snapshot, end, since=now)

    def _vanish(self, drive: Drive, now: dt.datetime) -> None:
        volume = self.find_volume(drive.install_id, drive.volume_id)
        if volume is None or volume.handle != drive.handle:
            return
        if volume.attached is not None:
            self.broken.append(f"{drive.handle} was deleted while {volume.attached} had it")
        self._drop_volume(volume, now)

    def _drop_volume(self, volume: CloudVolume, now: dt.datetime) -> None:
        self.volumes.drop((volume.install_id, volume.volume_id), now)
        saved = not volume.content or any(
            snapshot.volume_id == volume.volume_id
            and snapshot.state is SnapshotState.COMPLETED
            and set(volume.content) <= set(snapshot.content)
            for snapshot in self.snapshots.all()
        )
        self.deletions.append(
            Deletion(volume_id=volume.volume_id, disk_id=volume.disk_id, content=volume.content, saved=saved, at=now)
        )
