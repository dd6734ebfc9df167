"""Many nodes: what they offer, who else uses them, and what becomes of a box whose node is cordoned, silent or gone."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.domain.server import Phase, Presence
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.kinds import NODE, POD
from gpudev_sdk.providers import Context
from tests.cluster.boxes import launched, until
from tests.cluster.machine.fake_nodes import FakeNode

SOON = 30.0


@pytest.fixture
def label():
    """Return a label that only this test's nodes have."""
    return {"gpudev.test/fleet": uuid.uuid4().hex[:8]}


@pytest.fixture
def fleet(place):
    if place.machine is None:
        pytest.skip("missing ability: fake nodes are made on this machine's own cluster alone")
    with place.machine.fake_nodes() as made:
        yield made


@pytest.fixture
def named(label):
    """Return what names a node of this test."""
    return lambda number: f"fleet-{label['gpudev.test/fleet']}-{number}"


@pytest.fixture
def node(fleet, label, named):
    """Return the name of one fake node with eight GPUs."""
    fleet.add(FakeNode(name=named(0), gpus=8, labels=label | {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}))
    return named(0)


@pytest.fixture
def settings(place, label):
    """Return settings for these nodes alone, whose types are found."""
    return place.settings(node_labels=label, types={})


@pytest.fixture
def compute(settings, tmp_path):
    return PodCompute(settings, Context(install_id=uuid.uuid4(), name="fleet", data_folder=tmp_path))


def on(node, **more):
    """Return the wishes for a box of two GPUs on a node."""
    return {"node": node, "gpu_type": "h100", "gpus": 2, "slots": (0, 1)} | more


def free(compute):
    """Return how many GPUs are free by what is seen now."""
    return sum(slot.busy_outside is None for node in compute.nodes() for slot in node.slots)


def other_pod(place, label, gpus):
    """Return somebody else's pod with GPUs on this test's nodes."""
    amounts = {"nvidia.com/gpu": str(gpus)}
    return POD.body(
        {"name": f"other-{uuid.uuid4().hex[:8]}"},
        spec={
            "nodeSelector": label,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "other", "image": place.images["busybox"], "resources": {"requests": amounts, "limits": amounts},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    )  # fmt: skip


def test_a_type_is_found_by_the_product_of_its_nodes(compute, node):
    (kind,) = until(compute.gpu_types)

    assert (kind.name, kind.gpus_per_node, kind.resource) == ("h100", 8, "nvidia.com/gpu")


def test_what_pods_of_others_take_is_not_ours_to_give(compute, place, label, node):
    until(lambda: free(compute) == 8)
    made = place.api().create(POD, other_pod(place, label, 3))

    until(lambda: free(compute) == 5, within=SOON)

    place.api().delete(POD, made["metadata"]["name"])
    until(lambda: free(compute) == 8, within=SOON)


def test_our_own_boxes_are_not_pods_of_others(place, settings, tmp_path, node):
    with launched(place, tmp_path, settings, **on(node)) as box:
        box.wait()

        assert free(box.compute) == 8


def test_a_cordoned_node_takes_nothing_new_and_says_so(compute, place, node):
    place.api().merge(NODE, node, {"spec": {"unschedulable": True}})

    until(lambda: [seen.reason for seen in compute.nodes()] == ["cordoned"], within=SOON)
    assert not compute.nodes()[0].schedulable


def test_a_box_on_a_silent_node_is_unknown_and_there_again_when_it_speaks(place, settings, tmp_path, fleet, node):
    with launched(place, tmp_path, settings, **on(node)) as box:
        box.wait()
        fleet.make_not_ready(node)
        until(lambda: box.see().presence is Presence.UNKNOWN, within=SOON)
        assert node in box.see().reason

        fleet.make_ready(node)
        box.wait(within=SOON)


def test_a_pod_that_finds_no_place_says_what_lacks(place, settings, tmp_path, label, node):
    place.api().create(POD, other_pod(place, label, 8))
    until(lambda: place.api().list(POD).items[0]["spec"].get("nodeName"))

    with launched(place, tmp_path, settings, **on(node)) as box:
        seen = until(lambda: (seen := box.see()).reason.startswith("no place") and seen, within=SOON)

        assert seen.phase is Phase.STARTING
        assert "Insufficient nvidia.com/gpu" in seen.reason
    place.api().delete(POD, place.api().list(POD).items[0]["metadata"]["name"])


@pytest.mark.parametrize("off", [False, True])
def test_a_box_whose_node_is_gone_is_over_only_where_such_machines_are_off(place, label, tmp_path, fleet, node, off):
    """The cluster fails the pods of a deleted node after about a minute, and cannot know whether they run."""
    settings = place.settings(node_labels=label, types={}, deleted_nodes_are_off=off)
    with launched(place, tmp_path, settings, **on(node)) as box:
        box.wait()
        fleet.delete(node)
        until(lambda: box.see().presence is Presence.UNKNOWN, within=SOON)
        until(lambda: box.see().phase is Phase.FINISHED, within=90)
        box.compute.terminate(box.spec.server_id)
        until(
            lambda: (
                "deletionTimestamp"
                in (place.api().find(POD, box.pod) or {"metadata": {"deletionTimestamp": 1}})["metadata"]
            )
        )

        box.compute.terminate(box.spec.server_id)

        assert (box.see().presence is Presence.ABSENT) is off
        if not off:
            place.api().merge(POD, box.pod, {"metadata": {"finalizers": None}})
