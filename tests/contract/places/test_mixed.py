"""Compute of one plugin with storage of another: what goes together, and what is never made."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.domain.reservation import EndReason, State
from tests.contract.places.conftest import work_until
from tests.memory_backend import Memory, MemoryStorage


class HostFolders(MemoryStorage):
    """Folders of the nodes themselves, as a machine of one's own has them."""

    def mount(self, volume):
        made = super().mount(volume)
        return attrs.evolve(made, kind=MountKind.HOST_PATH, source=f"/data/disks/{volume.volume_id}")


def is_up(row):
    return row.state is State.ACTIVE


def is_over(row):
    return row.state is State.ENDED


def of_kind(cluster, kind):
    """Return the objects of a kind that a cluster has."""
    return cluster.api.store.list(kind, None)[0]


def home(cluster):
    """Return the home of the only box there is."""
    (pod,) = of_kind(cluster, "pods")
    return next(each for each in pod["spec"]["volumes"] if each["name"] == "home")


@pytest.fixture
def kept(world):
    """Return how many disks the clouds themselves have, before and after."""
    return lambda: (len(world.east.volumes()), len(world.west.compute.world.disks))


@pytest.mark.parametrize(("compute", "where"), [("aws", "east"), ("gcp", "west")])
def test_boxes_of_a_cloud_have_disks_of_the_clusters_own_driver(mixed, lived, world, kept, compute, where):
    cluster, before = getattr(world, where).cluster, kept()
    bench = mixed(compute, "kube")
    kim, made = lived(bench, is_up)

    (claim,) = of_kind(cluster, "persistentvolumeclaims")
    assert home(cluster)["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    bench.cancel(kim, made)
    work_until(bench, made, is_over)
    assert bench.row(made).end_reason is EndReason.CANCELLED
    assert len(of_kind(cluster, "volumesnapshots")) == 1
    assert (of_kind(cluster, "pods"), of_kind(cluster, "persistentvolumes"), kept()) == ([], [], before)
    assert [each["metadata"]["uid"] for each in of_kind(cluster, "persistentvolumeclaims")] == [
        claim["metadata"]["uid"]
    ]


def test_boxes_of_a_cloud_have_folders_of_their_nodes(mixed, lived, world):
    cluster = world.west.cluster
    bench = mixed("gcp", HostFolders(Memory()))
    kim, made = lived(bench, is_up)

    (volume,) = of_kind(cluster, "persistentvolumes")
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert volume["spec"]["hostPath"] == {"path": f"/data/disks/{bench.row(made).volume_id}", "type": "Directory"}
    assert term["matchExpressions"][0]["values"] == ["gke-gpu-1"]
    assert home(cluster)["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
    bench.cancel(kim, made)
    work_until(bench, made, is_over)
    assert (of_kind(cluster, "pods"), of_kind(cluster, "persistentvolumes")) == ([], [])


@pytest.mark.sandbox
@pytest.mark.parametrize("storage", ["aws", "gcp"])
def test_no_cloud_makes_a_disk_for_a_box_of_this_machine(mixed, lived, world, kept, storage):
    before = kept()
    bench = mixed("local", storage)
    _, made = lived(bench, is_over, gpu_type="cpu", gpus=0)

    row = bench.row(made)
    assert row.end_reason is EndReason.FAILED
    assert f"cannot tell in which zone the node {bench.sql('SELECT name FROM node')[0]['name']!r} is" in row.end_detail
    assert kept() == before
