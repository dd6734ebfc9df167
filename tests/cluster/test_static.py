"""Disks that the cluster did not make: a volume by its handle, a folder of a node. A box's objects for them come and go."""

from __future__ import annotations

import os
import uuid

import pytest

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLAIM, VOLUME
from tests.cluster.boxes import launched, until


def mount(kind, source):
    return Mount(volume_id=uuid.uuid4(), disk_id=uuid.uuid4(), kind=kind, source=source)


@pytest.fixture
def by_handle(place):
    """Return a mount of a volume that somebody else had the driver make, by its handle."""
    api, name = place.api(), f"made-{uuid.uuid4().hex[:8]}"
    claim = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}
    api.create(CLAIM, CLAIM.body({"name": name}, spec=claim | {"storageClassName": place.storage_class}))
    bound = until(lambda: (api.find(CLAIM, name) or {})["spec"].get("volumeName"))
    spec = api.find(VOLUME, bound)["spec"]["csi"]
    yield mount(MountKind.CSI, f"{spec['driver']}/{spec['volumeHandle']}")
    api.delete(CLAIM, name)


@pytest.fixture
def by_folder(place, tmp_path):
    """Return a mount of a folder of this machine, which is the node."""
    if place.machine is None:
        pytest.skip("missing ability: folders of the node are made on this machine's own cluster alone")
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    os.chown(folder, 1000, 1000)
    # The node's kubelet comes in by the whole path, and so may others while the test lasts.
    return mount(MountKind.HOST_PATH, str(folder))


@pytest.mark.parametrize("which", ["by_handle", "by_folder"])
def test_a_disk_that_the_cluster_did_not_make_outlives_its_boxes(place, tmp_path, request, which):
    disk = request.getfixturevalue(which)
    with launched(place, tmp_path, mount=disk) as box:
        box.wait()
        box.ssh("echo precious > ~/notes; sync")
        assert objects(place, box) == [1, 1]
    until(lambda: objects(place, box) == [0, 0], within=10)

    with launched(place, tmp_path, mount=disk) as again:
        again.wait()
        assert again.ssh("cat ~/notes").stdout == "precious\n"
    until(lambda: objects(place, again) == [0, 0], within=10)


def test_a_folder_that_is_not_there_never_becomes_an_empty_disk(place, tmp_path):
    with launched(place, tmp_path, mount=mount(MountKind.HOST_PATH, str(tmp_path / "nothing"))) as box:
        until(lambda: "hostPath type check failed" in box.see().reason, within=30)
        assert not (tmp_path / "nothing").exists()
        assert box.see().endpoint is None


def objects(place, box):
    """Count the volumes and claims that were made for a box."""
    selector = f"{names.RESERVATION}={box.spec.server_id.reservation_id}"
    return [len(place.api().list(kind, selector).items) for kind in (VOLUME, CLAIM)]
