"""The laws of `Storage` that concern snapshots."""

from __future__ import annotations

import pathlib
import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import Mount, MountKind, SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef, VolumeSpec
from gpudev_sdk.errors import GpudevError
from gpudev_sdk.providers import Storage
from gpudev_sdk.testing.base import Settle
from gpudev_sdk.testing.storage import Volumes


class SnapshotContract(Volumes):
    """Name `provider` or give `storage`; `write` and `read` where a volume is no folder of this machine."""

    def write(self, mount: Mount, content: bytes) -> None:
        """Put content into a volume."""
        _word(mount).write_bytes(content)

    def read(self, mount: Mount) -> bytes:
        """Return the content that `write` put there, or b"" if there is none."""
        return _word(mount).read_bytes() if _word(mount).exists() else b""

    @pytest.fixture
    def snapshot(self, storage: Storage, volume: VolumeRef, settle: Settle) -> SnapshotRef:
        """Take a snapshot of a volume with content."""
        self.write(storage.mount(volume), b"precious")
        return self.take(storage, _spec(volume), settle)

    def take(self, storage: Storage, spec: SnapshotSpec, settle: Settle) -> SnapshotRef:
        """Take a snapshot and wait until it is complete."""
        handle = storage.create_snapshot(spec)
        snapshot = SnapshotRef(snapshot_id=spec.snapshot_id, disk_id=spec.volume.disk_id, handle=handle)
        settle(lambda: storage.get_snapshot(snapshot).state is not SnapshotState.PENDING)
        assert storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED
        return snapshot

    def restore(self, storage: Storage, volume: VolumeSpec, snapshot: SnapshotRef, settle: Settle) -> VolumeRef:
        """Make a volume of a snapshot and wait until it can be used."""
        handle = storage.create_volume_from_snapshot(volume, snapshot)
        restored = VolumeRef(volume_id=volume.volume_id, disk_id=volume.disk_id, handle=handle)
        settle(lambda: storage.get_volume(restored).ready)
        return restored

    def test_taking_a_snapshot_returns_within_the_budget(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 1.1."""
        self.timed(lambda: storage.create_snapshot(_spec(volume)))

    def test_taking_a_snapshot_twice_is_taking_it_once(
        self, storage: Storage, volume: VolumeRef, settle: Settle
    ) -> None:
        """Law 1.2."""
        spec = _spec(volume)
        first = storage.create_snapshot(spec)

        assert storage.create_snapshot(spec) == first
        snapshot = self.take(storage, spec, settle)
        assert snapshot.handle == first
        assert [seen.snapshot_id for seen in storage.list_snapshots()] == [spec.snapshot_id]

    def test_a_completed_snapshot_says_when_and_is_listed(self, storage: Storage, snapshot: SnapshotRef) -> None:
        """Law 4.1."""
        seen = storage.get_snapshot(snapshot)

        assert (seen.presence, seen.state) == ("present", SnapshotState.COMPLETED)
        assert seen.completed_at is not None
        assert seen.completed_at.tzinfo is not None
        assert snapshot.snapshot_id in {listed.snapshot_id for listed in storage.list_snapshots()}

    def test_a_snapshot_never_taken_is_absent(self, storage: Storage) -> None:
        """Law 4.1."""
        assert storage.get_snapshot(_nothing()).presence == "absent"

    def test_a_restored_disk_has_the_snapshots_bytes(
        self, storage: Storage, spec: VolumeSpec, snapshot: SnapshotRef, settle: Settle
    ) -> None:
        """Law 4.2."""
        again = attrs.evolve(spec, volume_id=uuid.uuid4())

        restored = self.restore(storage, again, snapshot, settle)

        assert self.read(storage.mount(restored)) == b"precious"

    def test_a_snapshot_keeps_what_the_volume_was_then(
        self, storage: Storage, spec: VolumeSpec, volume: VolumeRef, snapshot: SnapshotRef, settle: Settle
    ) -> None:
        """Law 4.2."""
        self.write(storage.mount(volume), b"later")

        restored = self.restore(storage, attrs.evolve(spec, volume_id=uuid.uuid4()), snapshot, settle)

        assert self.read(storage.mount(restored)) == b"precious"

    def test_restoring_twice_is_restoring_once(
        self, storage: Storage, spec: VolumeSpec, snapshot: SnapshotRef, settle: Settle
    ) -> None:
        """Law 1.2: what was written since is not restored over."""
        again = attrs.evolve(spec, volume_id=uuid.uuid4())
        restored = self.restore(storage, again, snapshot, settle)
        self.write(storage.mount(restored), b"newer")

        assert storage.create_volume_from_snapshot(again, snapshot) == restored.handle

        settle(lambda: storage.get_volume(restored).ready)
        assert self.read(storage.mount(restored)) == b"newer"

    def test_a_restore_without_its_snapshot_is_refused_and_makes_nothing(
        self, storage: Storage, spec: VolumeSpec
    ) -> None:
        """Law 4.3."""
        with pytest.raises(GpudevError):
            storage.create_volume_from_snapshot(spec, _nothing())
        assert storage.get_volume(VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)).presence == "absent"

    def test_a_volume_that_is_not_there_gives_no_snapshot(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 4.4."""
        missing = _spec(attrs.evolve(volume, volume_id=uuid.uuid4(), handle=None))

        with pytest.raises(GpudevError):
            storage.create_snapshot(missing)
        assert storage.list_snapshots() == ()

    def test_a_snapshot_outlives_its_volume(
        self, storage: Storage, spec: VolumeSpec, volume: VolumeRef, snapshot: SnapshotRef, settle: Settle
    ) -> None:
        """Law 4.5."""
        storage.delete_volume(volume)
        settle(lambda: storage.get_volume(volume).presence == "absent")

        restored = self.restore(storage, attrs.evolve(spec, volume_id=uuid.uuid4()), snapshot, settle)

        assert self.read(storage.mount(restored)) == b"precious"

    def test_a_deleted_snapshot_becomes_absent_and_the_volume_stays(
        self, storage: Storage, volume: VolumeRef, snapshot: SnapshotRef, settle: Settle
    ) -> None:
        """Law 4.6."""
        self.timed(lambda: storage.delete_snapshot(snapshot))

        settle(lambda: storage.get_snapshot(snapshot).presence == "absent")
        assert storage.list_snapshots() == ()
        assert self.read(storage.mount(volume)) == b"precious"

    def test_deleting_a_snapshot_that_is_gone_is_silent(self, storage: Storage) -> None:
        """Law 1.3."""
        storage.delete_snapshot(_nothing())

        assert storage.list_snapshots() == ()


def _word(mount: Mount) -> pathlib.Path:
    if mount.kind is not MountKind.HOST_PATH:
        raise NotImplementedError("override the methods `write` and `read`: the volume is no folder of this machine")
    return pathlib.Path(mount.source, "word")


def _spec(volume: VolumeRef) -> SnapshotSpec:
    return SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)


def _nothing() -> SnapshotRef:
    return SnapshotRef(snapshot_id=uuid.uuid4(), disk_id=uuid.uuid4())
