"""Snapshots of folders: copies that share blocks where the filesystem can, and bounded ones elsewhere."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import tempfile
import time
import uuid
from typing import Any

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSighting, SnapshotSpec, SnapshotState
from gpudev_sdk.domain.names import is_id
from gpudev_sdk.errors import Conflict, NoCapacity, SnapshotsOff, TryLater, Unworkable
from gpudev_sdk.local import locks, markers, trees, work
from gpudev_sdk.local.copying import clone
from gpudev_sdk.local.durable import sync_folder
from gpudev_sdk.local.folder import DisksFolder
from gpudev_sdk.local.jobs import FAILURE, HOME, MANIFEST
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.space import check_floor

MAX_ENTRIES = 2_000_000
#: A disk is counted before it is copied, but only so far; beyond, the copy itself finds out.
_COUNTED = 20_000
#: For how long a copy that was given up as too large speaks for the next one of the same volume.
_REMEMBERED = 600.0
_PREFIX = "snapshot-"


class Snapshots:
    """The snapshots in a folder of disks."""

    def __init__(self, folder: DisksFolder, settings: LocalSettings, install_id: uuid.UUID) -> None:
        self._folder = folder
        self._settings = settings
        self._install_id = install_id
        self._sharing: bool | None = None

    def is_begun(self, spec: SnapshotSpec) -> bool:
        """Say whether this snapshot is finished, being taken, or failed: nothing is begun twice."""
        final, draft = self._places(spec.snapshot_id)
        return final.exists() or work.find_failure(draft) is not None or work.is_alive(draft)

    def check_size(self, spec: SnapshotSpec, root: pathlib.Path) -> None:
        """Raise SnapshotsOff if the volume is seen to be too large, or was found to be a moment ago."""
        if self.shares_blocks():
            return
        limit = self._settings.snapshot_limit_bytes
        found = self._given_up(spec.volume.volume_id)
        if found is None:
            size = trees.measure_home(root / HOME, limit, _COUNTED)
            found = f"it is over {trees.amount(limit)}" if size.bytes > limit else None
        if found is not None:
            raise SnapshotsOff(
                f"no snapshot of this disk: {found}, and this filesystem cannot share blocks; the disk itself stays",
                hint="Put disks on btrfs or XFS, or raise snapshot_limit_bytes.",
            )

    def begin(self, spec: SnapshotSpec, root: pathlib.Path) -> None:
        """Start the copy. The volume's lock is shared with it, so that no box starts on a disk that is being copied."""
        if self.is_begun(spec):
            return
        final, draft = self._places(spec.snapshot_id)
        self._check_floor()
        try:
            lock = locks.share(root)
        except Conflict as error:
            raise TryLater("the disk is in use; a snapshot is taken when its box has ended") from error
        try:
            work.put_away(draft, self._folder.work)
            draft.mkdir(mode=0o700)
            markers.write(draft, self._install_id, spec.volume.disk_id, spec.volume.volume_id)
            about = {"disk_id": str(spec.volume.disk_id), "volume_id": str(spec.volume.volume_id)}
            job = self._copy(root, draft, final) | {"manifest": about, "about": about["volume_id"]}
            work.begin(draft, job, (lock,))
        finally:
            os.close(lock)

    def copy_back(self, source: pathlib.Path, draft: pathlib.Path, root: pathlib.Path) -> None:
        """Start copying a snapshot into a prepared volume; what was once copied may be copied back."""
        job = self._copy(source, draft, root)
        work.begin(draft, job | {"bounds": job["bounds"] | {"bytes": 2**62}})

    def source(self, snapshot: SnapshotRef, *, owner: int) -> tuple[pathlib.Path, int]:
        """Return a finished snapshot's folder and how many bytes a copy of it writes; raise Unworkable otherwise."""
        final, _ = self._places(snapshot.snapshot_id)
        markers.check(final, self._install_id, snapshot.disk_id)
        manifest = _manifest(final)
        if manifest is None:
            raise Unworkable("the snapshot is not complete", hint="Restore another one: gpudev disk snapshots.")
        if (final / HOME).lstat().st_uid != owner:
            raise Unworkable("the snapshot belongs to another host uid", hint="Set uid_first back to what it was.")
        return final, 0 if self.shares_blocks() else manifest["bytes"]

    def see(self, snapshot_id: uuid.UUID) -> SnapshotSighting:
        """Look at one snapshot."""
        final, draft = self._places(snapshot_id)
        for _ in range(2):
            if os.path.lexists(final):
                return self._finished(snapshot_id, final)
            failure = work.find_failure(draft)
            if failure is not None:
                return SnapshotSighting(
                    snapshot_id=snapshot_id, presence="present", state=SnapshotState.ERROR, handle=str(snapshot_id),
                    reason=failure.reason,
                )  # fmt: skip
            if work.is_alive(draft):
                return SnapshotSighting(
                    snapshot_id=snapshot_id, presence="present", state=SnapshotState.PENDING, handle=str(snapshot_id)
                )
        return SnapshotSighting(snapshot_id=snapshot_id, presence="absent")

    def list_all(self) -> tuple[SnapshotSighting, ...]:
        """Look at every snapshot that is finished, being taken, or failed."""
        names = {path.name for path in self._folder.snapshots.iterdir()}
        names |= {path.name.removeprefix(_PREFIX).partition(".")[0] for path in self._folder.work.glob(f"{_PREFIX}*")}
        seen = (self.see(uuid.UUID(name)) for name in sorted(names) if is_id(name))
        return tuple(sighting for sighting in seen if sighting.presence != "absent")

    def put_away(self, snapshot: SnapshotRef) -> None:
        """Rename a snapshot away and begin to remove it."""
        final, draft = self._places(snapshot.snapshot_id)
        if os.path.lexists(final):
            markers.check(final, self._install_id, snapshot.disk_id)
        elif work.is_alive(draft):
            raise TryLater("the snapshot is still being taken")
        for folder in (final, draft):
            work.put_away(folder, self._folder.work)
        work.forget(draft)
        sync_folder(self._folder.snapshots)
        work.clear(self._folder.work)

    def shares_blocks(self) -> bool:
        """Say whether this filesystem can copy without writing, tried once."""
        if self._sharing is None:
            with (
                tempfile.TemporaryFile(dir=self._folder.work) as one,
                tempfile.TemporaryFile(dir=self._folder.work) as two,
            ):
                one.write(b"0" * 65536)
                one.flush()
                self._sharing = clone(one.fileno(), two.fileno())
        return self._sharing

    def _places(self, snapshot_id: uuid.UUID) -> tuple[pathlib.Path, pathlib.Path]:
        return self._folder.snapshots / str(snapshot_id), self._folder.work / f"{_PREFIX}{snapshot_id}"

    def _copy(self, source: pathlib.Path, draft: pathlib.Path, final: pathlib.Path) -> dict[str, Any]:
        settings = self._settings
        return {
            "kind": "copy",
            "source": str(source),
            "target": str(draft),
            "final": str(final),
            "manifest": None,
            "about": "",
            "sharing": self.shares_blocks(),
            "bounds": {
                "bytes": settings.snapshot_limit_bytes,
                "entries": MAX_ENTRIES,
                "floor": settings.free_floor_bytes,
            },
        }

    def _check_floor(self) -> None:
        try:
            check_floor(self._folder.path, self._settings.free_floor_bytes)
        except NoCapacity as error:
            raise SnapshotsOff(f"no snapshot: {error.message}", hint=error.hint) from error

    def _given_up(self, volume_id: uuid.UUID) -> str | None:
        for note in self._folder.work.glob(f"{_PREFIX}*{FAILURE}"):
            failure = work.find_failure(note.with_suffix(""))
            if failure is None or not failure.off or failure.about != str(volume_id):
                continue
            if time.time() - failure.at < _REMEMBERED:
                return failure.reason
        return None

    def _finished(self, snapshot_id: uuid.UUID, final: pathlib.Path) -> SnapshotSighting:
        marker, manifest = markers.find(final), _manifest(final)
        if marker is None or manifest is None:
            return SnapshotSighting(snapshot_id=snapshot_id, presence="unknown", reason=f"{final} has no marker")
        if marker.install_id != self._install_id:
            return SnapshotSighting(snapshot_id=snapshot_id, presence="absent", reason=f"{final} is another install's")
        return SnapshotSighting(
            snapshot_id=snapshot_id,
            presence="present",
            state=SnapshotState.COMPLETED,
            handle=str(snapshot_id),
            size_bytes=manifest["bytes"],
            completed_at=dt.datetime.fromisoformat(manifest["completed_at"]),
        )


def _manifest(final: pathlib.Path) -> dict[str, Any] | None:
    try:
        plain: dict[str, Any] = json.loads((final / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return plain
