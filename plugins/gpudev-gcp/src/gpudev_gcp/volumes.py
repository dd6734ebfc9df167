"""Disks of Compute Engine as volumes: how one is described, found, made and seen.

https://cloud.google.com/compute/docs/reference/rest/v1/disks ; the handle of a volume is `ZONE/NUMBER`: where its disk is, and
Google's own number of it, which a disk made again under the same name does not have.
"""

from __future__ import annotations

import uuid
from typing import Any

from gpudev_gcp import marks
from gpudev_gcp.errors import ObjectExists
from gpudev_gcp.operations import Attempt, Operations, raise_failed
from gpudev_gcp.session import Session
from gpudev_gcp.settings import SMALLEST, GcpSettings
from gpudev_sdk.domain.disk import VolumeRef, VolumeSighting, VolumeSpec
from gpudev_sdk.errors import TryLater, Unworkable

GIB = 1024**3
_READY = "READY"
#: What a disk's status says to people: https://cloud.google.com/compute/docs/reference/rest/v1/disks#Disk.FIELDS.status
_REASONS = {
    "CREATING": "it is being made",
    "RESTORING": "it is being restored",
    "DELETING": "it is being deleted",
    "FAILED": "Google could not make it",
    "UNAVAILABLE": "Google cannot get at it now",
}


class Volumes:
    """The disks of one install."""

    def __init__(self, session: Session, operations: Operations, install: uuid.UUID) -> None:
        self._session = session
        self._operations = operations
        self._install = install

    def name(self, volume_id: uuid.UUID) -> str:
        """Return the name of a volume's disk."""
        return marks.volume_name(self._install, volume_id)

    def find(self, volume_id: uuid.UUID, zone: str = "") -> Any | None:
        """Return the disk of a volume, in one zone or wherever it is. One of that name which is not ours is not it."""
        name, what = self.name(volume_id), "look at a disk"
        if zone:
            one = self._session.find(what, self._session.disks.get, name, zone=zone, disk=name)
            found = [] if one is None else [one]
        else:
            found = self._listed(what, marks.by_name(name))
        ours = [disk for disk in found if marks.volume_of(disk.name, disk.labels, self._install) == volume_id]
        if len(ours) > 1:
            where = ", ".join(sorted(map(zone_of, ours)))
            raise Unworkable(f"there are disks called {name} in {where}", hint="Delete the one that is not in use.")
        return ours[0] if ours else None

    def all(self) -> list[Any]:
        """Return all disks that are volumes of this install."""
        found = self._listed("list disks", marks.by_install(self._install))
        return [disk for disk in found if marks.volume_of(disk.name, disk.labels, self._install) is not None]

    def attempt(self, volume_id: uuid.UUID, zone: str = "") -> Attempt | None:
        """Return the newest try to make a volume."""
        return self._operations.newest("look at what became of a disk", f"disks/{self.name(volume_id)}", zone)

    def make(self, spec: VolumeSpec, zone: str, source: Any | None) -> str:
        """Begin to make a disk that is not there, or find that it was begun; return its handle."""
        what, target = "make a disk", f"disks/{self.name(spec.volume_id)}"
        newest = self.attempt(spec.volume_id)
        if newest is not None and not newest.done and newest.zone != zone:
            raise elsewhere(newest.zone, zone)
        if newest is not None and newest.done and not newest.code:
            # A list may not show yet what was made a moment ago.
            made = self.find(spec.volume_id, newest.zone)
            if made is not None:
                return handle_of(made)
        body = describe(spec, self._session.settings, self._install, zone, source)

        def insert(request_id: str) -> Any:
            method = self._session.disks.insert_unary
            return self._session.write(what, method, zone=zone, disk_resource=body, request_id=request_id)

        try:
            return f"{zone}/{self._operations.begin(what, spec.volume_id, target, newest, insert)}"
        except ObjectExists:
            made = self.find(spec.volume_id, zone)
        if made is None:
            raise TryLater(f"{self.name(spec.volume_id)} is there and not ours, or just being removed")
        check(made, spec.disk_id, None)
        return handle_of(made)

    def delete(self, disk: Any) -> None:
        """Begin to delete a disk; gone is fine."""
        what, method = "delete a disk", self._session.disks.delete_unary
        if disk.status != "DELETING":
            place = {"zone": zone_of(disk), "disk": disk.name}
            raise_failed(self._session.remove(what, method, disk.name, **place), what)

    def _listed(self, what: str, criteria: str) -> list[Any]:
        pages = self._session.pages(what, self._session.disks.aggregated_list, filter=criteria)
        return [disk for page in pages for part in page.items.values() for disk in part.disks]


def describe(
    spec: VolumeSpec, settings: GcpSettings, install: uuid.UUID, zone: str, source: Any | None
) -> dict[str, Any]:
    """Return the disk of a volume as Google is asked for it; `source` is the snapshot it is restored from."""
    smallest = max(SMALLEST[settings.disk_type], source.disk_size_gb if source is not None else 0)
    labels = {marks.INSTALL: str(install), marks.DISK: str(spec.disk_id), marks.VOLUME: str(spec.volume_id)}
    body: dict[str, Any] = {
        "name": marks.volume_name(install, spec.volume_id),
        "type_": f"projects/{settings.project}/zones/{zone}/diskTypes/{settings.disk_type}",
        "size_gb": max(-(-spec.size_bytes // GIB), smallest),
        "labels": settings.labels | labels,
    }
    if source is not None:
        body["source_snapshot"] = f"projects/{settings.project}/global/snapshots/{source.name}"
    if settings.iops:
        body["provisioned_iops"] = settings.iops
    if settings.throughput:
        body["provisioned_throughput"] = settings.throughput
    if settings.kms_key:
        body["disk_encryption_key"] = {"kms_key_name": settings.kms_key}
    return body


def see(disk: Any) -> VolumeSighting:
    """Return what a disk of ours says."""
    return VolumeSighting(
        volume_id=uuid.UUID(disk.labels[marks.VOLUME]),
        presence="present",
        ready=disk.status == _READY,
        handle=handle_of(disk),
        zone=zone_of(disk),
        attachments=users_of(disk),
        reason="" if disk.status == _READY else _REASONS.get(disk.status, f"its status is {disk.status}"),
    )


def see_missing(volume: VolumeRef, attempt: Attempt | None) -> VolumeSighting:
    """Return the sighting of a volume that has no disk: being made, failed, or never begun."""
    if attempt is None or attempt.done:
        reason = attempt.reason if attempt is not None else ""
        return VolumeSighting(volume_id=volume.volume_id, presence="absent", reason=reason)
    return VolumeSighting(
        volume_id=volume.volume_id,
        presence="present",
        handle=f"{attempt.zone}/{attempt.target_id}",
        zone=attempt.zone,
        attachments=(),
        reason=_REASONS["CREATING"],
    )


def check(disk: Any, disk_id: uuid.UUID, handle: str | None) -> None:
    """Refuse a disk that is of another of ours, or was made later under the name of one that is gone."""
    if disk.labels.get(marks.DISK) != str(disk_id):
        raise Unworkable(f"{disk.name} is of another disk")
    if handle is not None and handle != handle_of(disk):
        raise Unworkable(f"{disk.name} is not the one that was made: it was deleted and made again by somebody else")


def elsewhere(is_in: str, wanted: str) -> Unworkable:
    """Return the error for a volume that is in another zone than the box would be."""
    hint = f"Ask for a box in {is_in}, or take a snapshot of the disk: that can be restored in any zone."
    return Unworkable(f"the disk is in {is_in}, and the box would be in {wanted}", hint=hint)


def handle_of(disk: Any) -> str:
    """Return what tells a disk from another of the same name, and where it is."""
    return f"{zone_of(disk)}/{disk.id}"


def zone_in(handle: str | None) -> str:
    """Return the zone that a handle tells; empty without one."""
    return (handle or "").partition("/")[0]


def zone_of(disk: Any) -> str:
    """Return the zone of a disk."""
    return str(disk.zone.rpartition("/")[2])


def users_of(disk: Any) -> tuple[str, ...]:
    """Return the instances that have a disk attached."""
    return tuple(user.rpartition("/")[2] for user in disk.users)
