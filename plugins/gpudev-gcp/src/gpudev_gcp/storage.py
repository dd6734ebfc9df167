"""Disks on Persistent Disk and Hyperdisk, with snapshots; and what is beside them. What is begun here is asked about later."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from gpudev_gcp import instances, snapshots, volumes
from gpudev_gcp.objects import GcsObjects
from gpudev_gcp.operations import Operations
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.shared import FilestoreShares
from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    Reach,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.errors import Conflict, ProviderError, TryLater, Unworkable
from gpudev_sdk.providers import Context, Storage

#: The driver as GKE has it: https://cloud.google.com/kubernetes-engine/docs/how-to/persistent-volumes/gce-pd-csi-driver
DRIVER = "pd.csi.storage.gke.io"
#: What a spec says that leaves the zone to us.
_ANYWHERE = ("", "local")


class GcpStorage(GcsObjects, FilestoreShares, Storage):
    """Zonal disks and snapshots of one project; objects in its bucket, and shared folders."""

    Settings: ClassVar[type[GcpSettings]] = GcpSettings
    gives = MountKind.CSI
    #: A used disk is likely used again tomorrow; after that its snapshot is enough, and costs less.
    keep_volumes = dt.timedelta(days=1)
    #: A disk is of one zone, and its snapshots are of none.
    reach = Reach.ZONE

    def __init__(self, settings: GcpSettings, context: Context, session: Session | None = None) -> None:
        self._settings = settings
        self._install = context.install_id
        self._session = session or Session(settings)
        operations = Operations(self._session)
        self._volumes = volumes.Volumes(self._session, operations, context.install_id)
        self._snapshots = snapshots.Snapshots(self._session, operations, context.install_id)

    def create_volume(self, spec: VolumeSpec) -> str:
        found = self._volumes.find(spec.volume_id)
        if found is not None:
            return self._same(found, spec, "")
        return self._volumes.make(spec, self._zone(spec), None)

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        found = self._volumes.find(spec.volume_id)
        if found is not None:
            return self._same(found, spec, self._snapshots.name(snapshot.snapshot_id))
        source = self._snapshots.find(snapshot.snapshot_id)
        if source is None:
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} is not there any more")
        snapshots.check(source, snapshot.disk_id, snapshot.handle)
        if source.status in ("CREATING", "UPLOADING"):
            raise TryLater(f"the snapshot {snapshot.snapshot_id} is not complete yet")
        if source.status != "READY":
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} cannot be restored: it is {source.status.lower()}")
        return self._volumes.make(spec, self._zone(spec), source)

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        zone = volumes.zone_in(volume.handle)
        try:
            found = self._volumes.find(volume.volume_id, zone)
            if found is not None:
                return volumes.see(found)
            return volumes.see_missing(volume, self._volumes.attempt(volume.volume_id, zone))
        except ProviderError as error:
            return VolumeSighting(volume_id=volume.volume_id, presence="unknown", reason=error.message)

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        return tuple(map(volumes.see, self._volumes.all()))

    def delete_volume(self, volume: VolumeRef) -> None:
        found = self._find(volume)
        if found is None:
            attempt = self._volumes.attempt(volume.volume_id, volumes.zone_in(volume.handle))
            if attempt is not None and not attempt.done:
                raise TryLater("the disk is still being made", delay=2.0)
            return
        volumes.check(found, volume.disk_id, volume.handle)
        users = volumes.users_of(found)
        if users:
            raise Conflict(f"the volume is in use by {', '.join(users)}")
        self._volumes.delete(found)

    def mount(self, volume: VolumeRef) -> Mount:
        found = self._find(volume)
        if found is None:
            hint = "Restore it from a snapshot."
            raise Unworkable(
                f"the disk's volume is gone: there is no {self._volumes.name(volume.volume_id)}", hint=hint
            )
        volumes.check(found, volume.disk_id, volume.handle)
        seen = volumes.see(found)
        if found.status in ("CREATING", "RESTORING", "UNAVAILABLE"):
            raise TryLater(f"the disk cannot be mounted yet: {seen.reason}", delay=2.0)
        if not seen.ready:
            raise Unworkable(f"the disk cannot be mounted: {seen.reason}", hint="Restore it from a snapshot.")
        source = f"{DRIVER}/projects/{self._settings.project}/zones/{seen.zone}/disks/{found.name}"
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CSI, source=source)

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        made = self._snapshots.find(spec.snapshot_id)
        if made is not None:
            snapshots.check(made, spec.volume.disk_id, None)
            return str(made.id)
        disk = self._find(spec.volume)
        if disk is None:
            raise Unworkable(f"the volume {spec.volume.volume_id} is not there")
        volumes.check(disk, spec.volume.disk_id, spec.volume.handle)
        return self._snapshots.take(spec, disk)

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        try:
            found = self._snapshots.find(snapshot.snapshot_id)
            if found is not None:
                return snapshots.see(found)
            return snapshots.see_missing(snapshot, self._snapshots.attempt(snapshot.snapshot_id))
        except ProviderError as error:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="unknown", reason=error.message)

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        return tuple(map(snapshots.see, self._snapshots.all()))

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        found = self._snapshots.find(snapshot.snapshot_id)
        if found is not None:
            snapshots.check(found, snapshot.disk_id, snapshot.handle)
            self._snapshots.delete(found)

    def _find(self, volume: VolumeRef) -> Any | None:
        return self._volumes.find(volume.volume_id, volumes.zone_in(volume.handle))

    def _same(self, found: Any, spec: VolumeSpec, source: str) -> str:
        """Return the handle of a volume that was made before; refuse one of another disk, content or zone."""
        volumes.check(found, spec.disk_id, None)
        made_of = found.source_snapshot.rpartition("/")[2]
        if made_of != source:
            raise Unworkable(f"{found.name} was made of {made_of or 'nothing'}, not of {source or 'nothing'}")
        wanted = self._wanted_zone(spec)
        if wanted is not None and wanted != volumes.zone_of(found):
            raise volumes.elsewhere(volumes.zone_of(found), wanted)
        return volumes.handle_of(found)

    def _zone(self, spec: VolumeSpec) -> str:
        """Return the zone where a volume has to be: its disk can be mounted there alone."""
        zone = self._wanted_zone(spec)
        if zone is None:
            hint = "See whether the node is a machine of this project: gcloud compute instances list."
            raise Unworkable(f"cannot tell in which zone the node {spec.node[:80]!r} is", hint=hint)
        if self._settings.zones and zone not in self._settings.zones:
            hint = "Add the zone to `zones` of the backend, or take its nodes out by `node_labels`."
            raise Unworkable(f"no disks are made in {zone}, where the box would be", hint=hint)
        return zone

    def _wanted_zone(self, spec: VolumeSpec) -> str | None:
        return instances.find_zone(self._session, spec.node) if spec.zone in _ANYWHERE else spec.zone
