"""Disks as folders of this machine: the folder is the disk and stays, its snapshots lie beside it.

People's files are copied and removed by `jobs`, as their box's own uid. Nothing here waits for that.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator
from typing import ClassVar

from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    SnapshotRef,
    SnapshotSighting,
    SnapshotSpec,
    VolumeRef,
    VolumeSighting,
    VolumeSpec,
)
from gpudev_sdk.domain.names import is_id
from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.local import locks, markers, trees, work
from gpudev_sdk.local.durable import sync_folder
from gpudev_sdk.local.folder import DisksFolder
from gpudev_sdk.local.jobs import HOME
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.snapshots import Snapshots
from gpudev_sdk.local.space import check_floor
from gpudev_sdk.providers import Context, Storage

#: A disk with more entries than this is not counted on every look.
_CHEAP = 5_000


class LocalStorage(Storage):
    """Folders of this machine."""

    Settings: ClassVar[type[LocalSettings]] = LocalSettings
    keep_volumes = None
    gives = MountKind.HOST_PATH
    is_here = True

    def __init__(self, settings: LocalSettings, context: Context) -> None:
        self._settings = settings
        self._install_id = context.install_id
        path = pathlib.Path(settings.disks) if settings.disks else context.data_folder / "disks"
        self._folder = DisksFolder(path, context.data_folder, context.install_id)
        self._snapshots = Snapshots(self._folder, settings, context.install_id)
        self._swept = False

    def create_volume(self, spec: VolumeSpec) -> str:
        """Make an empty home, owned by the uid of the person's boxes."""
        root = self._root(spec.volume_id)
        with _translated("the disk cannot be made"), self._changing():
            if not self._is_made(spec, root):
                check_floor(self._folder.path, self._settings.free_floor_bytes)
                self._make(spec, root)
        return str(spec.volume_id)

    def create_volume_from_snapshot(self, spec: VolumeSpec, snapshot: SnapshotRef) -> str:
        """Begin to copy a snapshot into a new volume, which is there when the copy is whole."""
        root, draft = self._root(spec.volume_id), self._draft(spec.volume_id)
        with _translated("the disk cannot be restored"), self._changing():
            if self._is_made(spec, root) or work.is_alive(draft):
                return str(spec.volume_id)
            failure = work.find_failure(draft)
            if failure is not None:
                work.forget(draft)
                raise Unworkable(f"the snapshot could not be restored: {failure.reason}")
            source, size = self._snapshots.source(snapshot, owner=self._owner(spec.owner_number))
            check_floor(self._folder.path, self._settings.free_floor_bytes, more=size)
            self._prepare(spec, draft)
            self._snapshots.copy_back(source, draft, root)
        return str(spec.volume_id)

    def get_volume(self, volume: VolumeRef) -> VolumeSighting:
        """Look at one volume; one that is being restored is present and not ready."""
        try:
            if not self._folder.is_there():
                return VolumeSighting(volume_id=volume.volume_id, presence="absent")
            return self._see(volume.volume_id)
        except (TryLater, Unworkable) as error:
            return VolumeSighting(volume_id=volume.volume_id, presence="unknown", reason=error.message)

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        """List what carries our marker, and as unknown what carries none."""
        if not self._folder.is_there():
            return ()
        with _translated("the disks cannot be listed"):
            names = {path.name for path in self._folder.volumes.iterdir()}
            names |= {path.name.removeprefix("restore-") for path in self._folder.work.glob("restore-*/")}
            found = [self._see(uuid.UUID(name)) for name in sorted(names) if is_id(name)]
        return tuple(sighting for sighting in found if sighting.presence != "absent")

    def delete_volume(self, volume: VolumeRef) -> None:
        """Put the volume away at once; its content is removed meanwhile."""
        if not self._folder.is_there():
            return
        root = self._root(volume.volume_id)
        with _translated("the disk cannot be removed"), self._changing():
            if not os.path.lexists(root):
                if work.is_alive(self._draft(volume.volume_id)):
                    raise TryLater("the disk is still being restored")
                return
            markers.check(root, self._install_id, volume.disk_id)
            lock = locks.take(root)
            try:
                work.put_away(root, self._folder.work)
                sync_folder(self._folder.volumes)
            finally:
                os.close(lock)
            work.clear(self._folder.work)

    def mount(self, volume: VolumeRef) -> Mount:
        """Return the volume's root, in which `home` is the disk; raise Unworkable if it is not what we made."""
        if not self._folder.is_there():
            raise Unworkable("the disk is not there", hint="No disk was ever made on this machine.")
        root = self._root(volume.volume_id)
        markers.check(root, self._install_id, volume.disk_id)
        if not (root / HOME).is_dir() or (root / HOME).is_symlink():
            raise Unworkable(f"the disk at {root} has lost its content", hint="Restore one of its snapshots.")
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.HOST_PATH, source=str(root))

    def create_snapshot(self, spec: SnapshotSpec) -> str:
        """Begin a copy; raise SnapshotsOff where the disk is too large to copy or there is no space left for it."""
        root = self._root(spec.volume.volume_id)
        self._folder.ensure()
        with _translated("the snapshot cannot be begun"):
            if not self._snapshots.is_begun(spec):
                markers.check(root, self._install_id, spec.volume.disk_id)
                self._snapshots.check_size(spec, root)
            with self._changing():
                self._snapshots.begin(spec, root)
        return str(spec.snapshot_id)

    def get_snapshot(self, snapshot: SnapshotRef) -> SnapshotSighting:
        """Say how far a snapshot is; one whose copying died is absent, and may be begun again."""
        try:
            if not self._folder.is_there():
                return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")
            return self._snapshots.see(snapshot.snapshot_id)
        except (TryLater, Unworkable) as error:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="unknown", reason=error.message)

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        """List finished snapshots, those being taken, and those that failed."""
        if not self._folder.is_there():
            return ()
        with _translated("the snapshots cannot be listed"):
            return self._snapshots.list_all()

    def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Put the snapshot away at once; its content is removed meanwhile."""
        if self._folder.is_there():
            with _translated("the snapshot cannot be removed"), self._changing():
                self._snapshots.put_away(snapshot)

    def _root(self, volume_id: uuid.UUID) -> pathlib.Path:
        return self._folder.volumes / str(volume_id)

    def _draft(self, volume_id: uuid.UUID) -> pathlib.Path:
        return self._folder.work / f"restore-{volume_id}"

    def _owner(self, owner_number: int) -> int:
        return self._settings.uid_first + owner_number if os.geteuid() == 0 else os.geteuid()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the folder, and the first time put away what an earlier process left half made."""
        with self._folder.exclusive():
            if not self._swept:
                work.put_away_dead(self._folder.work)
                work.clear(self._folder.work)
                self._swept = True
            yield

    def _is_made(self, spec: VolumeSpec, root: pathlib.Path) -> bool:
        if not os.path.lexists(root):
            return False
        markers.check(root, self._install_id, spec.disk_id)
        return True

    def _make(self, spec: VolumeSpec, root: pathlib.Path) -> None:
        draft = self._folder.work / f"new-{spec.volume_id}"
        self._prepare(spec, draft)
        home, owner = draft / HOME, self._owner(spec.owner_number)
        home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(home, owner, owner, follow_symlinks=False)
        sync_folder(home)
        sync_folder(draft)
        draft.rename(root)
        sync_folder(self._folder.volumes)

    def _prepare(self, spec: VolumeSpec, draft: pathlib.Path) -> None:
        """Make everything of a volume but its home."""
        work.put_away(draft, self._folder.work)
        draft.mkdir(mode=0o700)
        (draft / locks.NAME).touch(mode=0o600)
        markers.write(draft, self._install_id, spec.disk_id, spec.volume_id)

    def _see(self, volume_id: uuid.UUID) -> VolumeSighting:
        root = self._root(volume_id)
        for _ in range(2):
            if os.path.lexists(root):
                return self._see_made(volume_id, root)
            if work.is_alive(self._draft(volume_id)):
                return VolumeSighting(
                    volume_id=volume_id,
                    presence="present",
                    handle=str(volume_id),
                    attachments=(),
                    reason="being restored",
                )
        return VolumeSighting(volume_id=volume_id, presence="absent")

    def _see_made(self, volume_id: uuid.UUID, root: pathlib.Path) -> VolumeSighting:
        marker = markers.find(root)
        if marker is None:
            return VolumeSighting(volume_id=volume_id, presence="unknown", reason=f"{root} has no marker")
        if marker.install_id != self._install_id:
            return VolumeSighting(volume_id=volume_id, presence="absent", reason=f"{root} is another install's")
        free = locks.is_free(root)
        return VolumeSighting(
            volume_id=volume_id,
            presence="present",
            ready=True,
            handle=str(volume_id),
            attachments=() if free else ("box",),
            used_bytes=_used(root / HOME) if free else None,
        )


def _used(home: pathlib.Path) -> int | None:
    """Return the bytes in use if that can be told quickly."""
    size = trees.measure_home(home, 2**62, _CHEAP)
    return size.bytes if size.whole else None


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TryLater(f"{what}: {error.strerror or error}") from error
