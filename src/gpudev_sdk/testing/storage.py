"""The laws of `Storage` that concern volumes."""

from __future__ import annotations

import contextlib
import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import Mount, MountKind, VolumeRef, VolumeSpec
from gpudev_sdk.errors import Conflict, GpudevError, ProviderError, Unworkable
from gpudev_sdk.providers import Context, Storage
from gpudev_sdk.testing.base import Contract, Settle


class Volumes(Contract[Storage]):
    """What every suite over a storage has: the storage, a spec, and a volume made of it."""

    @pytest.fixture
    def storage(self, context: Context) -> Storage:
        """Return the storage under test."""
        return self.build(context)

    @pytest.fixture
    def other_storage(self, other_context: Context) -> Storage:
        """Return the same place as another install sees it; without it, law 1.4 is not tested."""
        return self.build_other(other_context, "other_storage")

    @pytest.fixture
    def node(self) -> str:
        """Return where volumes must be mountable."""
        return "node"

    @pytest.fixture
    def spec(self, node: str) -> VolumeSpec:
        """Return a small volume."""
        return VolumeSpec(volume_id=uuid.uuid4(), disk_id=uuid.uuid4(), owner_number=1, size_bytes=1024**3, node=node)

    @pytest.fixture
    def volume(self, storage: Storage, spec: VolumeSpec, settle: Settle) -> VolumeRef:
        """Make a volume and wait until it can be used."""
        return self.make(storage, spec, settle)

    def make(self, storage: Storage, spec: VolumeSpec, settle: Settle) -> VolumeRef:
        """Make a volume and wait until it can be used."""
        handle = storage.create_volume(spec)
        volume = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=handle)
        settle(lambda: storage.get_volume(volume).ready)
        return volume


class StorageContract(Volumes):
    """Name `provider` or give `storage`; `node`, `attached` and `other_storage` where they fit."""

    def attached(self, mount: Mount) -> contextlib.AbstractContextManager[None]:
        """Attach the volume for as long as the block lasts; override it to have law 3.5 tested."""
        pytest.skip("no method `attached`: that a volume in use is kept is not tested")

    def test_making_a_volume_twice_is_making_it_once(
        self, storage: Storage, spec: VolumeSpec, volume: VolumeRef
    ) -> None:
        """Law 1.2."""
        assert storage.create_volume(spec) == volume.handle
        assert [seen.volume_id for seen in storage.list_volumes()] == [spec.volume_id]

    def test_making_a_volume_returns_within_the_budget(self, storage: Storage, spec: VolumeSpec) -> None:
        """Law 1.1."""
        self.timed(lambda: storage.create_volume(spec))

    def test_a_new_volume_is_present_ready_and_attached_to_nothing(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.1."""
        seen = storage.get_volume(volume)

        assert (seen.presence, seen.ready, seen.attachments) == ("present", True, ())

    def test_every_volume_is_listed(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.2."""
        assert [seen.volume_id for seen in storage.list_volumes()] == [volume.volume_id]

    def test_a_volume_is_found_by_our_id_without_its_handle(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.3."""
        assert storage.get_volume(attrs.evolve(volume, handle=None)).presence == "present"

    def test_a_volume_never_made_is_absent(self, storage: Storage) -> None:
        """Law 3.1."""
        assert storage.get_volume(_nobody()).presence == "absent"

    def test_a_mount_names_its_volume_and_disk(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.4."""
        mount = storage.mount(volume)

        assert (mount.volume_id, mount.disk_id) == (volume.volume_id, volume.disk_id)
        assert mount.kind in MountKind
        assert mount.source

    def test_a_volume_that_is_not_there_cannot_be_mounted(self, storage: Storage) -> None:
        """Law 3.4."""
        with pytest.raises(Unworkable):
            storage.mount(_nobody())

    def test_a_volume_of_another_disk_cannot_be_mounted(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.4."""
        with pytest.raises(Unworkable):
            storage.mount(attrs.evolve(volume, disk_id=uuid.uuid4()))

    def test_an_attached_volume_says_so_and_is_not_deleted(self, storage: Storage, volume: VolumeRef) -> None:
        """Law 3.5."""
        with self.attached(storage.mount(volume)):
            assert storage.get_volume(volume).attachments
            with pytest.raises(Conflict):
                storage.delete_volume(volume)
        assert storage.get_volume(volume).presence == "present"

    def test_a_deleted_volume_becomes_absent_and_unlisted(
        self, storage: Storage, volume: VolumeRef, settle: Settle
    ) -> None:
        """Law 3.6."""
        self.timed(lambda: storage.delete_volume(volume))

        settle(lambda: storage.get_volume(volume).presence == "absent")
        assert storage.list_volumes() == ()

    def test_deleting_what_is_gone_is_silent(self, storage: Storage, volume: VolumeRef, settle: Settle) -> None:
        """Law 1.3."""
        storage.delete_volume(volume)
        settle(lambda: storage.get_volume(volume).presence == "absent")

        storage.delete_volume(volume)
        storage.delete_volume(_nobody())

        assert storage.list_volumes() == ()

    def test_another_installs_volume_is_not_touched(
        self, storage: Storage, other_storage: Storage, volume: VolumeRef
    ) -> None:
        """Law 1.4: it may be refused or not be seen, but it is there afterwards."""
        with contextlib.suppress(ProviderError):
            assert volume.volume_id not in {seen.volume_id for seen in other_storage.list_volumes()}
        with contextlib.suppress(ProviderError):
            other_storage.delete_volume(volume)
        with pytest.raises(GpudevError):
            other_storage.mount(volume)
        assert storage.get_volume(volume).presence == "present"


def _nobody() -> VolumeRef:
    return VolumeRef(volume_id=uuid.uuid4(), disk_id=uuid.uuid4())
