"""The public laws of storage over kind's: folders of a real node, made, copied and removed by real pods."""

from __future__ import annotations

import time
import uuid

import attrs
import pytest

from gpudev_kind.settings import KindSettings
from gpudev_kind.storage import KindStorage
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, SnapshotState, VolumeRef
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.kube import catalogue, cluster, names
from gpudev_sdk.kube.kinds import CLAIM, CONFIG_MAP, NAMESPACE, NODE, POD, VOLUME
from gpudev_sdk.kube.pod import TOOLS
from gpudev_sdk.testing import SnapshotContract, StorageContract
from tests.cluster.contract.test_storage import Hands


@pytest.fixture(scope="module")
def helper_namespace(place, real_node):
    """A namespace of the tests' own for the short pods; the storage makes it, and they remove it with what they made."""
    name = f"{place.namespace}-disks"
    yield name
    _remove_claims(place.api())
    _remove_folder(place, name, real_node)
    place.api().delete(NAMESPACE, name)


@pytest.fixture(scope="module")
def folder(helper_namespace):
    """A folder of the node that no other test uses."""
    return f"/var/tmp/{helper_namespace}"


@pytest.fixture(scope="module")
def real_node(place):
    """A node that runs pods; other tests may have made-up ones there meanwhile."""
    nodes = place.api().list(NODE).items
    fitting = [each for each in nodes if place.node_labels.items() <= catalogue.labels_of(each).items()]
    return next(each["metadata"]["name"] for each in fitting if each["status"]["nodeInfo"]["containerRuntimeVersion"])


def _remove_claims(api):
    for kind in (CLAIM, VOLUME):
        for found in api.list(kind, f"{names.PART}=disk").items:
            held = found["spec"].get("claimRef") or {}
            if kind is CLAIM or held.get("namespace") == api.namespace:
                api.merge(kind, found["metadata"]["name"], {"metadata": {"finalizers": None}})
                api.delete(kind, found["metadata"]["name"])


def _remove_folder(place, helpers, node):
    """Have a pod remove what the storage left on the node."""
    api = place.api(helpers)
    if api.find(NAMESPACE, helpers) is None:
        return
    gone = [f"{TOOLS}/bin/busybox", "rm", "-rf", f"/tmp-of-node/{helpers}"]
    mounts = [{"name": "tmp", "mountPath": "/tmp-of-node"}]
    spec = {
        "restartPolicy": "Never",
        "nodeName": node,
        "containers": [{"name": "rm", "image": place.images["tools"], "command": gone, "volumeMounts": mounts}],
        "volumes": [{"name": "tmp", "hostPath": {"path": "/var/tmp"}}],
    }
    api.create(POD, POD.body({"name": "rm"}, spec=spec))
    deadline = time.monotonic() + 30
    while api.find(POD, "rm")["status"].get("phase") not in ("Succeeded", "Failed") and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.fixture
def settings(place, helper_namespace, folder):
    given = attrs.asdict(place.settings(storage_class=""), recurse=False)
    return KindSettings(**given | {"helper_namespace": helper_namespace, "folder": folder, "free_floor_bytes": 2**20})


class Folders(Hands):
    """Disks of a node of the cluster."""

    @pytest.fixture
    def node(self, real_node):
        return real_node

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
