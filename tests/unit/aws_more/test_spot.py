"""Spot machines by their nodes: the laws over a fake API server, and each label and taint that says something."""

from __future__ import annotations

import pytest

from gpudev_aws.spot import GOING, NodeSpot, going, is_spot
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.testing import SpotContract
from tests.unit.kube.fake_api import FakeApi
from tests.unit.kube.objects import node

SPOT = {"eks.amazonaws.com/capacityType": "SPOT"}
HANDLER = "aws-node-termination-handler"


class Compute(NodeSpot):
    fake: FakeApi

    def connect(self):
        return self.fake.api()

    def stop(self):
        self._view.stop()


@pytest.fixture
def cluster():
    made = FakeApi()
    yield made
    made.close()


@pytest.fixture
def add(cluster):
    """Return what adds a node."""

    def to_cluster(name, **changes):
        plain = node(name, **changes)
        del plain["metadata"]["resourceVersion"]
        cluster.store.create(("nodes", "", name), {"apiVersion": "v1", "kind": "Node"} | plain)

    return to_cluster


@pytest.fixture
def compute(cluster, add, context):
    add("kept", gpus=4)
    add("spot-a", gpus=4, labels=SPOT)
    made = Compute(KubeSettings(node_labels={}), context)
    made.fake = cluster
    yield made
    made.stop()


class TestLaws(SpotContract):
    @pytest.fixture
    def spot(self, compute, cluster):
        self.cluster = cluster
        return compute

    def interrupt(self, node):
        taint = {"key": f"{HANDLER}/spot-itn", "value": "spot-itn-1", "effect": "NoSchedule"}
        self.cluster.store.merge(("nodes", "", node), {"spec": {"taints": [taint]}})


@pytest.mark.parametrize(
    ("labels", "so"),
    [
        (SPOT, True),
        ({"karpenter.sh/capacity-type": "spot"}, True),
        ({"karpenter.sh/capacity-type": "on-demand"}, False),
        ({"eks.amazonaws.com/capacityType": "ON_DEMAND"}, False),
        ({"eks.amazonaws.com/capacityType": "CAPACITY_BLOCK"}, False),
        ({}, False),
    ],
)
def test_a_machine_is_spot_if_its_label_says_so(labels, so):
    assert is_spot(node(labels=labels)) is so


@pytest.mark.parametrize("key", sorted(GOING))
@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_each_taint_of_who_hears_the_warning_is_an_interruption(key, effect):
    assert going(node(spec={"taints": [{"key": "other", "effect": effect}, {"key": key, "effect": effect}]}))


@pytest.mark.parametrize(
    "taint",
    [
        {"key": f"{HANDLER}/rebalance-recommendation", "effect": "NoSchedule"},
        {"key": f"{HANDLER}/spot-itn", "effect": "PreferNoSchedule"},
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
    ],
)
def test_what_only_may_happen_or_is_something_else_is_none(taint):
    assert going(node(spec={"taints": [taint]})) is None
    assert going(node()) is None


def test_only_our_nodes_are_named_in_order(cluster, add, context):
    taints = [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]
    for name in ("z", "a"):
        add(name, labels=SPOT | {"team": "lab"}, spec={"taints": taints})
    add("theirs", labels=SPOT, spec={"taints": taints})
    compute = Compute(KubeSettings(node_labels={"team": "lab"}), context)
    compute.fake = cluster

    assert compute.spot_nodes() == ("a", "z")
    assert [(each.node, each.reason) for each in compute.interruptions()] == [
        ("a", "Karpenter removes the machine"),
        ("z", "Karpenter removes the machine"),
    ]
    compute.stop()


@pytest.mark.parametrize("key", sorted(GOING))
def test_a_node_that_is_taken_back_takes_nobody_in_though_settings_tolerate_the_taint(cluster, add, context, key):
    for name, taints in (("going", [{"key": key, "effect": "NoSchedule"}]), ("stays", [])):
        add(name, gpus=4, labels=SPOT, spec={"taints": taints})
    compute = Compute(KubeSettings(node_labels={}, tolerations=[key]), context)
    compute.fake = cluster

    seen = {each.name: (each.schedulable, each.reason) for each in compute.nodes()}

    assert seen == {"going": (False, f"it is taken back: {GOING[key]}"), "stays": (True, "")}
    compute.stop()
