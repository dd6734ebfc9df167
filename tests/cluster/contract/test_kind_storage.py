"""The public laws of storage over kind's: folders of a real node, made, copied and removed by real pods."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_kind.settings import KindSettings
from gpudev_kind.storage import KindStorage
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.kube import cluster, names
from gpudev_sdk.kube.kinds import CLAIM, CONFIG_MAP, NAMESPACE, NODE, POD, VOLUME
from gpudev_sdk.testing import SnapshotContract, StorageContract
from tests.cluster.contract.test_storage import Hands


@pytest.fixture(scope="module")
def helper_namespace(place):
    """A namespace of the tests' own for the short pods; the storage makes it, and they remove it."""
    name = f"{place.namespace}-disks"
    yield name
    place.api().delete(NAMESPACE, name)


@pytest.fixture(scope="module")
def folder(helper_namespace):
    """A folder of the node that no other test uses."""
    return f"/var/tmp/{helper_namespace}"


@pytest.fixture
def settings(place, helper_namespace, folder):
    given = attrs.asdict(place.settings(storage_class=""), recurse=False)
    return KindSettings(**given | {"helper_namespace": helper_namespace, "folder": folder, "free_floor_bytes": 2**20})


class Folders(Hands):
    """Disks of a node of the cluster."""

    @pytest.fixture
    def node(self, place):
        return place.api().list(NODE).items[0]["metadata"]["name"]

    @pytest.fixture
    def storage(self, settings, context):
        return KindStorage(settings, context)

    @pytest.fixture
    def other_storage(self, settings, other_context):
        return KindStorage(settings, other_context)


class TestStorage(Folders, StorageContract):
    def test_a_removed_volume_leaves_nothing_in_the_cluster(
        self, place, settings, storage, spec, volume, settle, context
    ):
        storage.delete_volume(volume)
        settle(lambda: storage.get_volume(volume).presence == "absent")

        ours, helpers = (
            f"{names.INSTALL}={context.install_id}",
            cluster.connect(settings.kubeconfig, "", settings.helper_namespace),
        )
        settle(lambda: not place.api().list(CLAIM, ours).items and not place.api().list(VOLUME, ours).items)
        settle(lambda: not helpers.list(CONFIG_MAP, ours).items and not helpers.list(POD, ours).items)

    def test_a_node_that_is_not_there_has_no_room(self, storage, spec):
        with pytest.raises(NoCapacity):
            storage.create_volume(attrs.evolve(spec, node="nowhere"))
        assert storage.list_volumes() == ()

    def test_a_full_node_is_told_once_and_leaves_nothing(self, settings, context, spec, settle):
        storage = KindStorage(attrs.evolve(settings, free_floor_bytes=2**60), context)
        volume = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)
        storage.create_volume(spec)
        settle(lambda: storage.get_volume(volume).presence == "absent")

        with pytest.raises(Unworkable, match="kB are free"):
            storage.create_volume(spec)
        settle(lambda: storage.get_volume(volume).presence == "absent" and not storage.get_volume(volume).reason)


class TestSnapshots(Folders, SnapshotContract):
    def test_what_was_killed_in_the_making_is_begun_again(self, settings, storage, spec, volume, settle):
        """Law 4.1."""
        wanted = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
        storage.create_snapshot(wanted)
        ref = SnapshotRef(snapshot_id=wanted.snapshot_id, disk_id=spec.disk_id)
        helpers = cluster.connect(settings.kubeconfig, "", settings.helper_namespace)
        selector = f"{names.SNAPSHOT}={wanted.snapshot_id}"
        for pod in helpers.list(POD, selector).items:
            helpers.delete(POD, pod["metadata"]["name"])
        settle(lambda: storage.get_snapshot(ref).presence == "absent" or storage.get_snapshot(ref).state == "completed")

        self.take(storage, wanted, settle)

        assert storage.get_snapshot(ref).state is SnapshotState.COMPLETED

    def test_another_disks_folder_is_never_taken(self, storage, spec, volume):
        other = attrs.evolve(spec, disk_id=uuid.uuid4())

        with pytest.raises(Unworkable, match="another disk"):
            storage.create_volume(other)

    def test_an_empty_volume_is_never_taken_for_a_restored_one(self, storage, spec, volume, snapshot):
        with pytest.raises(Unworkable, match="was made of nothing"):
            storage.create_volume_from_snapshot(spec, snapshot)
