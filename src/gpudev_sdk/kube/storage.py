"""Disks on Kubernetes: a volume is a PersistentVolumeClaim, a snapshot a VolumeSnapshot, of any driver that can snapshot.

A claim carries our finalizer, so that whoever deletes it by hand, or its namespace, loses nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import ClassVar

import attrs

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
from gpudev_sdk.kube import disks, names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectExists
from gpudev_sdk.kube.keeping import let_go
from gpudev_sdk.kube.kinds import CLAIM, POD, SNAPSHOT, STORAGE_CLASS, Json, Kind
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.kube.sharing import Reaching
from gpudev_sdk.providers import Context, Storage

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class ClaimStorage(Reaching, Storage):
    """Claims of one namespace."""

    Settings: ClassVar[type[KubeSettings]] = KubeSettings
    gives = MountKind.CLAIM
    #: A used disk is likely used again tomorrow; after that its snapshot is enough.
    keep_volumes = dt.timedelta(days=1)

    def __init__(self, settings: KubeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._waits: bool | None = None
        self.reach = Reach(settings.disk_reach)

    def create_volume(self, spec: VolumeSpec) -> str:
        return self._make(CLAIM, disks.claim(spec, self._settings, self._install))

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        source = self._view.ask_kept(SNAPSHOT, names.snapshot_name(self._install, snapshot.snapshot_id))
        try:
            return self._make(CLAIM, self._restored(spec, snapshot, source))
        except ProviderError:
            # An earlier call may have made it, while the snapshot was still there.
            made = self._view.ask_kept(CLAIM, names.volume_name(self._install, spec.volume_id))
            if made is None:
                raise
        return self._same_disk(made, spec.disk_id)

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        try:
            found = self._view.find_kept(CLAIM, names.volume_name(self._install, volume.volume_id))
            if found is None:
                return VolumeSighting(volume_id=volume.volume_id, presence="absent")
            seen = disks.see_volume(found, [], waits_for_pod=self._waits_for_pod())
            return attrs.evolve(seen, attachments=self._view.users_of(found))
        except ProviderError as error:
            return VolumeSighting(volume_id=volume.volume_id, presence="unknown", reason=error.message)

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        claims = self._api.list(CLAIM, names.selector(self._install, "disk")).items
        pods = self._api.list(POD).items if claims else []
        return tuple(disks.see_volume(each, pods, waits_for_pod=self._waits_for_pod()) for each in claims)

    def delete_volume(self, volume: VolumeRef) -> None:
        name = names.volume_name(self._install, volume.volume_id)
        found = self._view.ask_kept(CLAIM, name)
        if found is None:
            return
        self._check(found, volume.disk_id, volume.handle)
        users = self._view.ask_users_of(name)
        if users:
            raise Conflict(f"the volume is in use by {', '.join(users)}")
        let_go(self._api, CLAIM, found)
        self._api.delete(CLAIM, name, uid=found["metadata"]["uid"])

    def mount(self, volume: VolumeRef) -> Mount:
        name = names.volume_name(self._install, volume.volume_id)
        found = self._view.find_kept(CLAIM, name)
        if found is None:
            raise Unworkable(f"the disk's volume is gone: there is no claim {name}", hint="Restore it from a snapshot.")
        self._check(found, volume.disk_id, volume.handle)
        if "deletionTimestamp" in found["metadata"]:
            hint = "Its data is kept: docs/operate/kubernetes.md says how an admin gets it back (A claim that was deleted)."
            raise Unworkable(f"the claim {name} was deleted by somebody else", hint=hint)
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CLAIM, source=name)

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        volume = self._view.find_kept(CLAIM, names.volume_name(self._install, spec.volume.volume_id))
        if volume is None:
            made = self._view.ask_kept(SNAPSHOT, names.snapshot_name(self._install, spec.snapshot_id))
            if made is None:
                raise Unworkable(f"the volume {spec.volume.volume_id} is not there")
            return self._same_disk(made, spec.volume.disk_id)
        self._check(volume, spec.volume.disk_id, spec.volume.handle)
        return self._make(SNAPSHOT, disks.snapshot(spec.snapshot_id, spec.volume, self._settings, self._install))

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        name = names.snapshot_name(self._install, snapshot.snapshot_id)
        try:
            found = self._view.find_kept(SNAPSHOT, name)
            if found is not None and disks.is_complete(found) and not self._view.is_news(SNAPSHOT, name):
                # A volume may be given up for it.
                found = self._view.ask_kept(SNAPSHOT, name)
        except ProviderError as error:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="unknown", reason=error.message)
        if found is None:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")
        return disks.see_snapshot(found)

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        return tuple(map(disks.see_snapshot, self._api.list(SNAPSHOT, names.selector(self._install, "snapshot")).items))

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        name = names.snapshot_name(self._install, snapshot.snapshot_id)
        found = self._view.find_kept(SNAPSHOT, name)
        if found is not None:
            self._check(found, snapshot.disk_id, snapshot.handle)
            self._api.delete(SNAPSHOT, name, uid=found["metadata"]["uid"])

    @property
    def _api(self) -> Api:
        return self._view.api

    def _restored(self, spec: VolumeSpec, snapshot: SnapshotRef, source: Json | None) -> Json:
        """Return the claim of what is restored of a snapshot, which has to be there, whole, and the one that is meant."""
        if source is None:
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} is not there any more")
        self._check(source, snapshot.disk_id, snapshot.handle)
        if "deletionTimestamp" in source["metadata"]:
            raise Unworkable(f"the snapshot {snapshot.snapshot_id} is being deleted")
        if not disks.is_complete(source):
            raise TryLater(f"the snapshot {snapshot.snapshot_id} is not complete yet")
        return disks.claim(spec, self._settings, self._install, source)

    def _make(self, kind: Kind, body: Json) -> str:
        try:
            made: Json | None = self._api.create(kind, body)
        except ObjectExists:
            made = self._view.ask_kept(kind, body["metadata"]["name"])
        if made is None:
            raise TryLater(f"{body['metadata']['name']} is there and not ours, or just being removed")
        self._view.note_kept(kind, made)
        return self._same_disk(made, uuid.UUID(body["metadata"]["labels"][names.DISK]))

    def _same_disk(self, made: Json, disk_id: uuid.UUID) -> str:
        self._check(made, disk_id, None)
        return disks.handle_of(made)

    def _check(self, found: Json, disk_id: uuid.UUID, handle: str | None) -> None:
        """Refuse an object that is of another disk, or was made later under the name of one that is gone."""
        name = found["metadata"]["name"]
        if found["metadata"]["labels"].get(names.DISK) != str(disk_id):
            raise Unworkable(f"{name} is of another disk")
        if handle is not None and handle != disks.handle_of(found):
            raise Unworkable(f"{name} is not the one that was made: it was deleted and made again by somebody else")

    def _waits_for_pod(self) -> bool:
        """Say whether claims of our class are bound only when a pod uses them."""
        if self._waits is None:
            try:
                self._waits = self._class().get("volumeBindingMode") == "WaitForFirstConsumer"
            except TryLater:
                # Without the right to look, a claim counts as ready when it is bound.
                return False
        return self._waits

    def _class(self) -> Json:
        if self._settings.storage_class:
            found = self._api.find(STORAGE_CLASS, self._settings.storage_class)
            if found is None:
                raise Unworkable(f"the cluster has no storage class {self._settings.storage_class!r}")
            return found
        marked = [
            each
            for each in self._api.list(STORAGE_CLASS).items
            if (each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
        ]
        if not marked:
            raise Unworkable("the cluster has no default storage class", hint="Set `storage_class` of the backend.")
        # Of several, Kubernetes takes the newest.
        return max(marked, key=lambda each: str(each["metadata"].get("creationTimestamp")))
