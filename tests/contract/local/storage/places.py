"""A storage in a scratch folder, and what tests do with it."""

from __future__ import annotations

import os
import pathlib
import time
import uuid

import attrs

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef, VolumeSpec
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.storage import LocalStorage
from gpudev_sdk.providers import Context


@attrs.define
class Place:
    """A storage with what a test needs around it."""

    folder: pathlib.Path
    install_id: uuid.UUID = attrs.field(factory=uuid.uuid4)
    settings: LocalSettings = attrs.field(factory=lambda: LocalSettings(free_floor_bytes=0))

    @property
    def disks(self) -> pathlib.Path:
        return pathlib.Path(self.settings.disks or self.folder / "disks")

    def context(self) -> Context:
        return Context(install_id=self.install_id, name="local", data_folder=self.folder)

    def storage(self, **changes) -> LocalStorage:
        """Build a storage as a freshly started process has it."""
        return LocalStorage(attrs.evolve(self.settings, **changes), self.context())

    def volume(self, storage: LocalStorage) -> tuple[VolumeRef, pathlib.Path]:
        """Make a volume; return it with its home."""
        spec = volume_spec()
        storage.create_volume(spec)
        volume = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)
        return volume, pathlib.Path(storage.mount(volume).source) / "home"


def volume_spec(**changes) -> VolumeSpec:
    fields = {"volume_id": uuid.uuid4(), "disk_id": uuid.uuid4(), "owner_number": 1, "size_bytes": 1, "node": "here"}
    return VolumeSpec(**(fields | changes))


def snapshot_spec(volume: VolumeRef) -> SnapshotSpec:
    return SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)


def ref(spec: SnapshotSpec) -> SnapshotRef:
    return SnapshotRef(snapshot_id=spec.snapshot_id, disk_id=spec.volume.disk_id)


def wait(is_so, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def take(storage: LocalStorage, volume: VolumeRef) -> SnapshotRef:
    """Take a snapshot and return it when it is complete."""
    spec = snapshot_spec(volume)
    storage.create_snapshot(spec)
    wait(lambda: storage.get_snapshot(ref(spec)).state is not SnapshotState.PENDING)
    seen = storage.get_snapshot(ref(spec))
    assert seen.state is SnapshotState.COMPLETED, seen.reason
    return ref(spec)


def own(home: pathlib.Path) -> None:
    """Give everything below a home to its owner, as if they had made it."""
    if os.geteuid() != 0:
        return
    owner = home.stat()
    for folder, _, files in os.walk(home):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    for link in (path for path in home.rglob("*") if path.is_symlink()):
        os.chown(link, owner.st_uid, owner.st_gid, follow_symlinks=False)


def jobs_of(text: str) -> list[int]:
    """Return the pids of disk jobs whose command names `text`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if b"gpudev_sdk.local" in command and text.encode() in command:
            found.append(int(path.parent.name))
    return found
