"""Disks on AWS: a volume is one of EBS, a snapshot one of EBS, each found again by our tags.

What a tag cannot tell (two volumes with the tags of one) is unknown until a person takes the copied tags away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from typing import ClassVar

from gpudev_aws import instances, snapshots, tags, volumes
from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent, was_refused
from gpudev_aws.objects import S3Objects
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_aws.shared import EfsShares
from gpudev_aws.shelf import Shelf
from gpudev_aws.tags import Json
from gpudev_sdk import clock
from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    Reach,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    SnapshotState,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.errors import Conflict, GpudevError, ProviderError, TryLater, Unworkable
from gpudev_sdk.providers import Context, Storage

#: As the driver is registered: https://docs.aws.amazon.com/eks/latest/userguide/ebs-csi.html
DRIVER = "ebs.csi.aws.com"
_RESTORE = "Restore a snapshot that is there: gpudev disk snapshots NAME."
_AGAIN = "Nothing: it is asked for again."


class AwsStorage(Storage, S3Objects, EfsShares):
    """Volumes and snapshots of one account and region, blobs in its bucket, and shares in its file system."""

    Settings: ClassVar[type[AwsSettings]] = AwsSettings
    gives = MountKind.CSI
    #: A used disk is likely used again tomorrow; after that its snapshot, which costs less, is enough.
    keep_volumes = dt.timedelta(days=1)
    #: A volume is of one zone, and its snapshots are of none.
    reach = Reach.ZONE

    def __init__(self, settings: AwsSettings, context: Context) -> None:
        self._settings = settings
        self._install = context.install_id
        self.session = Session(settings.region, settings.endpoint, settings.calls_per_second)
        self._calls = Calls(self.session)
        self._shelf = Shelf(self._calls, context.install_id)
        self._zones: dict[str, str] = {}
        #: By our ids: volumes that were made and came to nothing.
        self._lost: dict[uuid.UUID, str] = {}

    def create_volume(self, spec: VolumeSpec) -> str:
        return self._made(spec, "") or self._make(spec, None)

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        made = self._made(spec, str(snapshot.snapshot_id))
        if made is not None:
            return made
        source = self._shelf.find_snapshot(snapshot.snapshot_id, snapshot.handle)
        if source is None:
            raise Unworkable(f"the snapshot {_name(snapshot)} is not there: somebody deleted it", hint=_RESTORE)
        snapshots.check(source, snapshot.disk_id)
        seen = snapshots.see(source)
        if seen.state is SnapshotState.PENDING:
            raise TryLater(f"the snapshot {_name(snapshot)} is not complete yet", hint=_AGAIN)
        if seen.state is SnapshotState.ERROR:
            raise Unworkable(f"the snapshot {_name(snapshot)} failed: {seen.reason}", hint=_RESTORE)
        return self._make(spec, source)

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        try:
            found = self._shelf.find_volume(volume.volume_id, volume.handle)
        except ProviderError as error:
            return VolumeSighting(volume_id=volume.volume_id, presence="unknown", reason=error.message)
        return VolumeSighting(volume_id=volume.volume_id, presence="absent") if found is None else volumes.see(found)

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        return self._shelf.list_volumes()

    def delete_volume(self, volume: VolumeRef) -> None:
        found = self._shelf.find_volume(volume.volume_id, volume.handle)
        if found is not None and found["State"] != volumes.GOING:
            volumes.check(found, volume.disk_id)
            users = volumes.users(found)
            if users != ():
                having = ", ".join(users or ("something",))
                raise Conflict(
                    f"{found['VolumeId']} is attached to {having}", hint="Wait until it is let go, or detach it."
                )
            self._delete_volume(found)
        self._shelf.volumes.forget(volume.volume_id, clock.monotonic())

    def mount(self, volume: VolumeRef) -> Mount:
        found = self._shelf.find_volume(volume.volume_id, volume.handle)
        if found is None:
            raise Unworkable(f"the disk's volume {volume.handle or ''} is gone", hint="Restore it from a snapshot.")
        volumes.check_mountable(volumes.check(found, volume.disk_id))
        source = f"{DRIVER}/{found['VolumeId']}"
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CSI, source=source)

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        made = self._shelf.find_snapshot(spec.snapshot_id, None)
        if made is not None:
            return str(snapshots.check(made, spec.volume.disk_id)["SnapshotId"])
        volume = self._shelf.find_volume(spec.volume.volume_id, spec.volume.handle)
        if volume is None:
            name = spec.volume.handle or spec.volume.volume_id
            raise Unworkable(f"the volume {name} is not there", hint=_RESTORE)
        volumes.check(volume, spec.volume.disk_id)
        return self._take(spec, str(volume["VolumeId"]))

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        try:
            found = self._shelf.find_snapshot(snapshot.snapshot_id, snapshot.handle)
        except ProviderError as error:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="unknown", reason=error.message)
        if found is None:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")
        return snapshots.see(found)

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        return self._shelf.list_snapshots()

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        found = self._shelf.find_snapshot(snapshot.snapshot_id, snapshot.handle)
        if found is not None:
            snapshots.check(found, snapshot.disk_id)
            for handle in sorted(self._shelf.handles_of(snapshot.snapshot_id) | {str(found["SnapshotId"])}):
                with contextlib.suppress(Absent):
                    self._calls.one("delete the snapshot", "delete_snapshot", SnapshotId=handle)
        self._shelf.snapshots.forget(snapshot.snapshot_id, clock.monotonic())

    def _made(self, spec: VolumeSpec, restored_from: str) -> str | None:
        """Return the handle of a volume that an earlier call made, if it is what is asked for; say why one is of no use."""
        found = self._shelf.find_volume(spec.volume_id, None)
        if found is None:
            self._say_what_vanished(spec)
            return None
        handle = str(volumes.check(found, spec.disk_id)["VolumeId"])
        if found["State"] == volumes.FAILED:
            self._lost[spec.volume_id] = handle
            self._delete_volume(found)
            self._shelf.volumes.forget(spec.volume_id, clock.monotonic())
            raise Unworkable(f"EBS could not make {handle}, or lost it", hint="Ask again: another volume is made.")
        if found["State"] == volumes.GOING:
            raise TryLater(f"{handle} is being deleted", hint=_AGAIN)
        if tags.read(found).get(tags.RESTORED_FROM, "") != restored_from:
            hint = "Look at its tags; somebody changed them."
            raise Unworkable(f"{handle} was not made of {restored_from or 'nothing'}, as it was to be", hint=hint)
        zone = self._zone(spec)
        if zone != found["AvailabilityZone"]:
            hint = f"Ask for a box in {found['AvailabilityZone']}, or restore a snapshot of the disk: those are in no zone."
            raise Unworkable(f"{handle} is in {found['AvailabilityZone']}, and the box would be in {zone}", hint=hint)
        return handle

    def _say_what_vanished(self, spec: VolumeSpec) -> None:
        """Raise Unworkable, once, if a volume was made and is gone: EBS says only so that it could not be encrypted."""
        vanished = self._shelf.volumes.vanished(spec.volume_id)
        if vanished is None:
            return
        self._lost[spec.volume_id] = vanished
        self._shelf.volumes.forget(spec.volume_id, clock.monotonic())
        why = "as it does where a key cannot be used, or somebody deleted it"
        hint = "See that `kms_key` names an enabled key of that region, and that its policy lets our role use it."
        raise Unworkable(f"EBS made {vanished} and took it away again, {why}", hint=hint)

    def _make(self, spec: VolumeSpec, source: Json | None) -> str:
        asked = volumes.request(spec, self._zone(spec), self._settings, self._install, source)
        token = volumes.token(asked, self._lost.get(spec.volume_id))
        try:
            made = self._calls.one("make the volume", "create_volume", ClientToken=token, **asked)
        except Absent as error:
            raise Unworkable("the snapshot was deleted just now, by somebody else", hint=_RESTORE) from error
        self._shelf.volumes.see(spec.volume_id, made["VolumeId"], clock.monotonic())
        return str(made["VolumeId"])

    def _take(self, spec: SnapshotSpec, volume: str) -> str:
        """Begin a snapshot. There is no token for it, so after a lost answer it is looked for until it would be shown."""
        self._shelf.snapshots.see(spec.snapshot_id, None, clock.monotonic())
        asked = snapshots.request(spec, volume, self._settings, self._install)
        try:
            made = self._calls.once("begin the snapshot", "create_snapshot", **asked)
        except GpudevError as error:
            if was_refused(error):
                self._shelf.snapshots.forget(spec.snapshot_id, clock.monotonic())
            if isinstance(error, Absent):
                raise Unworkable(
                    f"the volume {volume} was deleted just now, by somebody else", hint=_RESTORE
                ) from error
            raise
        self._shelf.snapshots.see(spec.snapshot_id, made["SnapshotId"], clock.monotonic())
        return str(made["SnapshotId"])

    def _delete_volume(self, found: Json) -> None:
        with contextlib.suppress(Absent):
            self._calls.one("delete the volume", "delete_volume", VolumeId=found["VolumeId"])

    def _zone(self, spec: VolumeSpec) -> str:
        """Return where a volume has to be; a node's zone is asked once, since it never changes."""
        if spec.zone not in ("", "local"):
            # Those of a region begin with its name, local zones too.
            if not spec.zone.startswith(self._settings.region):
                hint = "Name a storage of the cloud that the backend's boxes are in."
                raise Unworkable(f"{spec.zone[:60]!r} is no zone of {self._settings.region}", hint=hint)
            return spec.zone
        if spec.node not in self._zones:
            self._zones[spec.node] = instances.zone_of(self._calls, spec.node, self._settings.cluster)
        return self._zones[spec.node]


def _name(snapshot: SnapshotRef) -> str:
    return snapshot.handle or str(snapshot.snapshot_id)
