"""Snapshots of Compute Engine: how one is found, made and seen.

https://cloud.google.com/compute/docs/reference/rest/v1/snapshots ; they are of no zone, and a handle is Google's own number.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from gpudev_gcp import marks
from gpudev_gcp.errors import ObjectExists
from gpudev_gcp.operations import Attempt, Operations, raise_failed
from gpudev_gcp.session import Session
from gpudev_gcp.volumes import GIB, zone_of
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSighting, SnapshotSpec, SnapshotState
from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable

#: https://cloud.google.com/compute/docs/reference/rest/v1/snapshots#Snapshot.FIELDS.status
_STATES = {
    "CREATING": SnapshotState.PENDING,
    "UPLOADING": SnapshotState.PENDING,
    "DELETING": SnapshotState.PENDING,
    "READY": SnapshotState.COMPLETED,
    "FAILED": SnapshotState.ERROR,
}
_REASONS = {"DELETING": "it is being deleted", "FAILED": "Google could not make it"}
#: A quota that is used up is looked at again after this many seconds.
_QUOTA = 60.0


class Snapshots:
    """The snapshots of one install."""

    def __init__(self, session: Session, operations: Operations, install: uuid.UUID) -> None:
        self._session = session
        self._operations = operations
        self._install = install

    def name(self, snapshot_id: uuid.UUID) -> str:
        """Return the name of a snapshot."""
        return marks.snapshot_name(self._install, snapshot_id)

    def find(self, snapshot_id: uuid.UUID) -> Any | None:
        """Return a snapshot. One of that name which is not ours, or not of our disk, is not it."""
        name = self.name(snapshot_id)
        found = self._session.find("look at a snapshot", self._session.snapshots.get, name, snapshot=name)
        return found if found is not None and self._is_ours(found) else None

    def all(self) -> list[Any]:
        """Return all snapshots of this install."""
        criteria = marks.by_install(self._install)
        pages = self._session.pages("list snapshots", self._session.snapshots.list, filter=criteria)
        return [found for page in pages for found in page.items if self._is_ours(found)]

    def attempt(self, snapshot_id: uuid.UUID) -> Attempt | None:
        """Return the newest try to take a snapshot."""
        return self._operations.newest("look at what became of a snapshot", f"snapshots/{self.name(snapshot_id)}")

    def take(self, spec: SnapshotSpec, disk: Any) -> str:
        """Begin to take a snapshot that is not there, or find that it was begun; return its handle."""
        what, name = "take a snapshot", self.name(spec.snapshot_id)
        body = self._describe(spec, disk)

        def insert(request_id: str) -> Any:
            method = self._session.snapshots.insert_unary
            return self._session.write(what, method, snapshot_resource=body, request_id=request_id)

        try:
            newest = self.attempt(spec.snapshot_id)
            return self._operations.begin(what, spec.snapshot_id, f"snapshots/{name}", newest, insert)
        except NoCapacity as full:
            # A disk waits in no line: its content stays where it is until there is room for a copy.
            raise TryLater(full.message, delay=_QUOTA, hint=full.hint) from full
        except ObjectExists:
            made = self.find(spec.snapshot_id)
        if made is None:
            raise TryLater(f"{name} is there and not ours, or just being removed")
        check(made, spec.volume.disk_id, None)
        return str(made.id)

    def delete(self, snapshot: Any) -> None:
        """Begin to delete a snapshot; gone is fine."""
        what, method = "delete a snapshot", self._session.snapshots.delete_unary
        if snapshot.status != "DELETING":
            raise_failed(self._session.remove(what, method, snapshot.name, snapshot=snapshot.name), what)

    def _describe(self, spec: SnapshotSpec, disk: Any) -> dict[str, Any]:
        labels = {
            marks.INSTALL: str(self._install),
            marks.DISK: str(spec.volume.disk_id),
            marks.VOLUME: str(spec.volume.volume_id),
            marks.SNAPSHOT: str(spec.snapshot_id),
            marks.SOURCE: str(disk.id),
        }
        project = self._session.settings.project
        return {
            "name": self.name(spec.snapshot_id),
            "source_disk": f"projects/{project}/zones/{zone_of(disk)}/disks/{disk.name}",
            "labels": self._session.settings.labels | labels,
        }

    def _is_ours(self, found: Any) -> bool:
        """Say whether a snapshot is the one we asked for: a copy of its labels, or of its name, is of another disk."""
        is_named = marks.snapshot_of(found.name, found.labels, self._install) is not None
        return is_named and found.labels.get(marks.SOURCE) == str(found.source_disk_id)


def see(found: Any) -> SnapshotSighting:
    """Return what a snapshot of ours says. Google tells when its making began; its content is as of then."""
    state = _STATES.get(found.status, SnapshotState.PENDING)
    done = state is SnapshotState.COMPLETED
    return SnapshotSighting(
        snapshot_id=uuid.UUID(found.labels[marks.SNAPSHOT]),
        presence="present",
        state=state,
        handle=str(found.id),
        size_bytes=found.disk_size_gb * GIB if found.disk_size_gb else None,
        reason=_REASONS.get(found.status, ""),
        completed_at=dt.datetime.fromisoformat(found.creation_timestamp) if done else None,
    )


def see_missing(snapshot: SnapshotRef, attempt: Attempt | None) -> SnapshotSighting:
    """Return the sighting of a snapshot that is not there: being begun, failed, deleted, or never asked for."""
    if attempt is None or attempt.done:
        reason = attempt.reason if attempt is not None else ""
        return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent", reason=reason)
    return SnapshotSighting(
        snapshot_id=snapshot.snapshot_id,
        presence="present",
        state=SnapshotState.PENDING,
        handle=attempt.target_id,
    )


def check(found: Any, disk_id: uuid.UUID, handle: str | None) -> None:
    """Refuse a snapshot that is of another disk, or was made later under the name of one that is gone."""
    if found.labels.get(marks.DISK) != str(disk_id):
        raise Unworkable(f"{found.name} is of another disk")
    if handle is not None and handle != str(found.id):
        raise Unworkable(f"{found.name} is not the one that was taken: it was deleted and made again by somebody else")
