"""Storage over a simulated cloud: written as a plugin's is, against a cloud that misbehaves."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    SnapshotState,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.errors import NoCapacity, SnapshotsOff, TryLater, Unworkable
from gpudev_sdk.providers import Context, Storage
from gpudev_sdk.testing.cloud.doubts import Doubts
from gpudev_sdk.testing.cloud.settings import SimulatedSettings
from gpudev_sdk.testing.cloud.truth import CloudSnapshot, CloudVolume

NOT_SHOWN = "it is not shown, and may just not be shown yet"
#: Which of several snapshots of one id is taken for it.
_ORDER = {SnapshotState.COMPLETED: 0, SnapshotState.PENDING: 1, SnapshotState.ERROR: 2}


class SimulatedStorage(Storage):
    """Volumes and snapshots of a `SimulatedCloud`."""

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, context: Context) -> None:
        self._cloud = settings.cloud
        self._shelf = settings.cloud.shelf
        self._off = settings.snapshots_off
        self._install_id = context.install_id
        self.keep_volumes = settings.keep_volumes
        self.reach = settings.reach
        self._volumes: Doubts[uuid.UUID] = Doubts()
        self._attached: Doubts[uuid.UUID] = Doubts()
        self._snapshots: Doubts[uuid.UUID] = Doubts()
        self._begun: Doubts[uuid.UUID] = Doubts()

    def create_volume(self, spec: VolumeSpec) -> str:
        return self._cloud.call("storage.create_volume", lambda: self._make(spec, ()))

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        return self._cloud.call("storage.create_volume_from_snapshot", lambda: self._restore(spec, snapshot))

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        return self._cloud.call("storage.get_volume", lambda: self._see_volume(volume.volume_id))

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        return self._cloud.call("storage.list_volumes", self._list_volumes)

    def delete_volume(self, volume: VolumeRef) -> None:
        self._cloud.call("storage.delete_volume", lambda: self._shelf.delete_volume(self._install_id, volume.volume_id))

    def mount(self, volume: VolumeRef) -> Mount:
        return self._cloud.call("storage.mount", lambda: self._mount(volume))

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        return self._cloud.call("storage.create_snapshot", lambda: self._begin(spec))

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        return self._cloud.call("storage.get_snapshot", lambda: self._see_snapshot(snapshot.snapshot_id))

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        return self._cloud.call("storage.list_snapshots", self._list_snapshots)

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        self._cloud.call("storage.delete_snapshot", lambda: self._remove(snapshot.snapshot_id))

    def _make(self, spec: VolumeSpec, content: tuple[str, ...]) -> str:
        node = next((node for node in self._cloud.built if node.name == spec.node), None)
        if node is None:
            raise NoCapacity(f"there is no node {spec.node}, so no zone to make the volume in")
        volume = self._shelf.make_volume(self._install_id, spec, node.zone, content)
        self._volumes.see(spec.volume_id)
        return volume.handle

    def _restore(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        made = self._shelf.find_volume(self._install_id, spec.volume_id)
        if made is not None:
            self._volumes.see(spec.volume_id)
            return made.handle
        content = self._shelf.content_of(self._install_id, snapshot.snapshot_id, snapshot.disk_id)
        return self._make(spec, content)

    def _shown_volumes(self) -> tuple[CloudVolume, ...]:
        then = self._cloud.then(self._cloud.weather.lag)
        shown = self._shelf.volumes.all() if then is None else self._shelf.volumes.all_then(then)
        return tuple(volume for volume in shown if volume.install_id == self._install_id)

    def _see_volume(self, volume_id: uuid.UUID) -> VolumeSighting:
        key, then = (self._install_id, volume_id), self._cloud.then(self._cloud.weather.lag)
        volumes = self._shelf.volumes
        volume = volumes.find(key) if then is None else volumes.find_then(key, then)
        if volume is not None:
            return self._sighting(volume)
        if self._is_missing(self._volumes, volume_id):
            return VolumeSighting(volume_id=volume_id, presence="absent")
        return VolumeSighting(volume_id=volume_id, presence="unknown", reason=NOT_SHOWN)

    def _sighting(self, volume: CloudVolume) -> VolumeSighting:
        self._volumes.see(volume.volume_id)
        return VolumeSighting(
            volume_id=volume.volume_id,
            presence="present",
            ready=volume.ready,
            handle=volume.handle,
            zone=volume.zone,
            attachments=self._attachments(volume),
            used_bytes=4096 * len(volume.content),
            reason="" if volume.ready else "it is being made",
        )

    def _attachments(self, volume: CloudVolume) -> tuple[str, ...] | None:
        """Return what has it; that nothing has it is believed only when two reads agree."""
        if volume.attached is not None:
            self._attached.see(volume.volume_id)
            return (str(volume.attached),)
        return () if self._is_missing(self._attached, volume.volume_id) else None

    def _list_volumes(self) -> tuple[VolumeSighting, ...]:
        shown = self._shown_volumes()
        self._whole_list()
        found = {volume.volume_id: self._sighting(volume) for volume in shown}
        doubted = [
            VolumeSighting(volume_id=known, presence="unknown", reason=NOT_SHOWN)
            for known in self._volumes.known()
            if known not in found and not self._is_missing(self._volumes, known)
        ]
        return (*found.values(), *doubted)

    def _mount(self, volume: VolumeRef) -> Mount:
        seen = self._see_volume(volume.volume_id)
        if seen.presence == "unknown":
            raise TryLater(f"cannot tell whether the volume is there: {seen.reason}")
        found = self._shelf.find_volume(self._install_id, volume.volume_id)
        if found is None or found.disk_id != volume.disk_id:
            raise Unworkable("the volume is not there, or is another disk's")
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CSI, source=found.handle)

    def _begin(self, spec: SnapshotSpec) -> str:
        if self._off:
            raise SnapshotsOff(self._off)
        if self._cloud.weather.doubled_snapshots:
            found = self._shown_snapshots(spec.snapshot_id)
            if found:
                return found[0].handle
            if not self._is_missing(self._begun, spec.snapshot_id):
                raise TryLater("cannot tell whether this snapshot was begun before", delay=2.0)
        handle = self._shelf.take_snapshot(self._install_id, spec).handle
        self._snapshots.see(spec.snapshot_id)
        return handle

    def _shown_snapshots(self, snapshot_id: uuid.UUID | None = None) -> list[CloudSnapshot]:
        """Return our own, the best of each id first: a copy of somebody else's is never taken for ours."""
        then = self._cloud.then(self._cloud.weather.lag)
        shown = self._shelf.snapshots.all() if then is None else self._shelf.snapshots.all_then(then)
        own = [
            snapshot
            for snapshot in shown
            if snapshot.install_id == self._install_id
            and not snapshot.foreign
            and snapshot_id in (None, snapshot.snapshot_id)
        ]
        return sorted(own, key=lambda snapshot: (_ORDER[snapshot.state], snapshot.requested_at, snapshot.handle))

    def _see_snapshot(self, snapshot_id: uuid.UUID) -> SnapshotSighting:
        found = self._shown_snapshots(snapshot_id)
        if found:
            self._snapshots.see(snapshot_id)
            return _snapshot_sighting(found[0])
        if self._is_missing(self._snapshots, snapshot_id):
            return SnapshotSighting(snapshot_id=snapshot_id, presence="absent")
        return SnapshotSighting(snapshot_id=snapshot_id, presence="unknown", reason=NOT_SHOWN)

    def _list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        shown = self._shown_snapshots()
        self._whole_list()
        found: dict[uuid.UUID, SnapshotSighting] = {}
        for snapshot in shown:
            self._snapshots.see(snapshot.snapshot_id)
            found.setdefault(snapshot.snapshot_id, _snapshot_sighting(snapshot))
        doubted = [
            SnapshotSighting(snapshot_id=known, presence="unknown", reason=NOT_SHOWN)
            for known in self._snapshots.known()
            if known not in found and not self._is_missing(self._snapshots, known)
        ]
        return (*found.values(), *doubted)

    def _remove(self, snapshot_id: uuid.UUID) -> None:
        handles: Sequence[str] = [s.handle for s in self._shelf.own_snapshots(self._install_id, snapshot_id)]
        for handle in handles:
            self._shelf.delete_snapshot(handle)

    def _whole_list(self) -> None:
        if self._cloud.chance("partial_list", self._cloud.weather.partial_list):
            raise TryLater("the list broke off")

    def _is_missing(self, doubts: Doubts[uuid.UUID], key: uuid.UUID) -> bool:
        return doubts.miss(key, self._cloud.clock.now, self._cloud.weather.lag.most)


def _snapshot_sighting(snapshot: CloudSnapshot) -> SnapshotSighting:
    return SnapshotSighting(
        snapshot_id=snapshot.snapshot_id,
        presence="present",
        state=snapshot.state,
        handle=snapshot.handle,
        size_bytes=4096 * len(snapshot.content),
        reason=snapshot.reason,
        completed_at=snapshot.completed_at,
    )
