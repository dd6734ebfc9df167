"""What an author need not write: the methods that follow from the others, and what the suites do without being told."""

from __future__ import annotations

import uuid

import pytest
from gpudev_example.providers import ExampleCompute, ExampleSettings, ExampleStorage

from gpudev_sdk.domain.disk import Mount, MountKind, SnapshotRef, SnapshotSighting, VolumeRef, VolumeSighting
from gpudev_sdk.domain.gpu import Instance, Node
from gpudev_sdk.errors import NotFound, TryLater
from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ComputeContract, SnapshotContract

MACHINE = Instance(id="i-1", type="p5", zone="a", state="running")
VOLUME = VolumeRef(volume_id=uuid.UUID(int=1), disk_id=uuid.UUID(int=2))
SNAPSHOT = SnapshotRef(snapshot_id=uuid.UUID(int=3), disk_id=uuid.UUID(int=2))


@pytest.fixture
def context(tmp_path):
    return Context(install_id=uuid.uuid4(), name="b", data_folder=tmp_path)


@pytest.fixture
def built(context):
    """Return a function that builds a provider some of whose methods are others."""
    return lambda base, **methods: type("Built", (base,), methods)(ExampleSettings(), context)


def test_the_zones_are_those_of_the_nodes_each_once(built):
    nodes = tuple(Node(name=name, slots=(), zone=zone) for name, zone in (("x", "b"), ("y", "a"), ("z", "b")))

    assert built(ExampleCompute, nodes=lambda self: nodes).get_availability_zones() == ("a", "b")


def test_a_place_that_lists_no_machines_has_none(built):
    compute = built(ExampleCompute)

    assert compute.list_instances() == ()
    with pytest.raises(NotFound, match="there is no machine 'i-1'"):
        compute.get_instance("i-1")


def test_a_machine_that_is_listed_can_be_got(built):
    assert built(ExampleCompute, list_instances=lambda self: (MACHINE,)).get_instance("i-1") == MACHINE


def seen(presence):
    volume = VolumeSighting(volume_id=VOLUME.volume_id, presence=presence)
    snapshot = SnapshotSighting(snapshot_id=SNAPSHOT.snapshot_id, presence=presence)
    return {"list_volumes": lambda self: (volume,), "list_snapshots": lambda self: (snapshot,)}


@pytest.mark.parametrize("presence", ["present", "unknown"])
def test_a_disk_is_as_the_list_has_it(built, presence):
    storage = built(ExampleStorage, **seen(presence))

    assert storage.get_volume(VOLUME) == storage.list_volumes()[0]
    assert storage.get_snapshot(SNAPSHOT) == storage.list_snapshots()[0]


def test_a_disk_that_the_list_has_not_is_absent(built):
    storage = built(ExampleStorage, **seen("present"))
    volume, snapshot = VolumeRef(volume_id=uuid.UUID(int=9), disk_id=VOLUME.disk_id), uuid.UUID(int=9)

    assert storage.get_volume(volume) == VolumeSighting(volume_id=volume.volume_id, presence="absent")
    assert storage.get_snapshot(SnapshotRef(snapshot_id=snapshot, disk_id=VOLUME.disk_id)).presence == "absent"


def test_where_the_list_cannot_be_had_nothing_is_called_absent(built):
    def away(self):
        raise TryLater("no route")

    storage = built(ExampleStorage, list_volumes=away, list_snapshots=away)

    with pytest.raises(TryLater):
        storage.get_volume(VOLUME)
    with pytest.raises(TryLater):
        storage.get_snapshot(SNAPSHOT)


def test_a_suite_is_built_with_the_settings_it_is_given(context):
    named = type("Named", (ComputeContract,), {"provider": ExampleCompute, "settings": ExampleSettings(gpus=7)})

    assert named().build(context).gpu_types()[0].gpus_per_node == 7


def test_a_suite_that_names_no_class_says_what_to_do(context):
    with pytest.raises(NotImplementedError, match="name the class as `provider`"):
        ComputeContract().build(context)


def test_another_install_is_not_tried_where_only_a_fixture_could_be(context):
    with pytest.raises(pytest.skip.Exception, match="no fixture `other_compute`"):
        ComputeContract().build_other(context, "other_compute")


def test_a_volume_that_is_no_folder_here_needs_hands_of_its_own():
    mount = Mount(volume_id=VOLUME.volume_id, disk_id=VOLUME.disk_id, kind=MountKind.CLAIM, source="claim")

    for call in (lambda: SnapshotContract().write(mount, b"word"), lambda: SnapshotContract().read(mount)):
        with pytest.raises(NotImplementedError, match="override the methods `write` and `read`"):
            call()
