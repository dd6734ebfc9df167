"""What a cluster offers: types, nodes with their slots, zones, machines."""

from __future__ import annotations

import pytest

from gpudev_sdk.domain.gpu import GpuType, Instance, Node, Slot
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.kube import catalogue, names
from gpudev_sdk.kube.settings import KubeSettings, TypeSettings
from gpudev_sdk.kube.usage import Usage
from tests.unit.kube.objects import GPU, node

PRODUCT = "nvidia.com/gpu.product"
H100 = {PRODUCT: "NVIDIA-H100-80GB-HBM3"}
FOUND = KubeSettings()


def types_of(*nodes, settings=FOUND):
    return catalogue.gpu_types(catalogue.offers(settings, list(nodes)))


def nodes_of(*nodes, settings=FOUND, usage=None):
    return catalogue.nodes(settings, catalogue.offers(settings, list(nodes)), usage or Usage())


def names_of(*nodes, settings=FOUND):
    return [kind.name for kind in types_of(*nodes, settings=settings)]


def busy(found: Node) -> list[int]:
    return [slot.index for slot in found.slots if slot.busy_outside]


def test_a_node_with_gpus_is_a_type_of_its_product():
    assert types_of(node(gpus=8, labels=H100)) == (
        GpuType(
            gang=True,
            name="h100",
            gpus_per_node=8,
            cpus=9.0,
            memory_bytes=90_000_000_000,
            description="NVIDIA-H100-80GB-HBM3",
            resource=GPU,
        ),
    )


def test_a_node_without_gpus_is_of_the_type_cpu_with_a_place_a_cpu():
    assert types_of(node()) == (
        GpuType(
            gang=True,
            name="cpu",
            gpus_per_node=0,
            slots_per_node=9,
            cpus=9.0,
            memory_bytes=90_000_000_000,
            description="no GPU",
        ),
    )


def test_configured_types_are_those_there_are():
    settings = KubeSettings(
        share=0.5,
        types={
            "big": TypeSettings(labels={"pool": "big"}, description="the big ones"),
            "cpu": TypeSettings(resource="", labels={"pool": "cpu"}, slots_per_node=4),
            "none": TypeSettings(labels={"pool": "none"}),
        },
    )
    nodes = [
        node("a", gpus=4, labels={"pool": "big"}),
        node("b", labels={"pool": "cpu"}),
        node("c", gpus=8, labels=H100),
    ]

    assert types_of(*nodes, settings=settings) == (
        GpuType(
            gang=True,
            name="big",
            gpus_per_node=4,
            cpus=5.0,
            memory_bytes=50_000_000_000,
            description="the big ones",
            resource=GPU,
            labels={"pool": "big"},
        ),
        GpuType(
            gang=True,
            name="cpu",
            gpus_per_node=0,
            slots_per_node=4,
            cpus=5.0,
            memory_bytes=50_000_000_000,
            labels={"pool": "cpu"},
        ),
    )


def test_a_node_of_no_configured_type_is_not_ours():
    settings = KubeSettings(types={"big": TypeSettings(labels={"pool": "big"})})

    assert nodes_of(node(gpus=8, labels=H100), settings=settings) == ()


def test_only_nodes_with_the_configured_labels_are_ours():
    settings = KubeSettings(node_labels={"team": "ml"})

    found = nodes_of(node("a", labels={"team": "ml"}), node("b", labels={"team": "web"}), settings=settings)

    assert [each.name for each in found] == ["a"]


def test_slices_of_a_gpu_are_types_of_their_own():
    mixed = node(labels={PRODUCT: "NVIDIA-A100-SXM4-80GB"})
    for side in ("capacity", "allocatable"):
        mixed["status"][side] |= {GPU: "0", "nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-1g.10gb.me": "1"}

    assert [(kind.name, kind.gpus_per_node, kind.resource) for kind in types_of(mixed)] == [
        ("a100-mig-1g.10gb", 7, "nvidia.com/mig-1g.10gb"),
        ("a100-mig-1g.10gb.me", 1, "nvidia.com/mig-1g.10gb.me"),
    ]


def test_resources_of_others_make_no_type():
    assert names_of(node(status={"capacity": {"rdma/hca": "8", "nvidia.com/gpu.shared": "4"}})) == ["cpu"]


def test_gpus_without_a_product_are_called_gpu():
    assert names_of(node(gpus=1)) == ["gpu"]


@pytest.mark.parametrize(("label", "name"), [("big", "big"), ("H100_NVL", "h100_nvl")])
def test_an_operators_label_names_the_type_lawfully(label, name):
    assert names_of(node(gpus=1, labels=H100 | {names.GPU_TYPE: label})) == [name]
    assert LABEL.match(name)


def test_of_nodes_that_differ_a_type_has_what_the_smallest_brings():
    small = node("small", gpus=4, labels=H100, status={"allocatable": {"cpu": "5", "memory": "200G"}})

    (kind,) = types_of(node("big", gpus=8, labels=H100), small)

    assert (kind.gpus_per_node, kind.cpus, kind.memory_bytes) == (8, 4.5, 90_000_000_000)


def test_each_node_has_the_slots_of_its_own_gpus():
    found = nodes_of(node("small", gpus=2, labels=H100), node("big", gpus=3, labels=H100))

    assert found == (
        Node(name="big", slots=tuple(Slot(gpu_type="h100", index=index) for index in range(3))),
        Node(name="small", slots=tuple(Slot(gpu_type="h100", index=index) for index in range(2))),
    )


def test_a_node_that_just_joined_and_told_nothing_does_not_count_as_the_smallest():
    bare = node("bare") | {"status": {}}

    assert types_of(bare, node()) == types_of(node())


def test_a_gpu_node_whose_device_plugin_is_away_is_listed_with_the_reason_and_takes_nobody():
    away = node("away", labels=H100, status={side: {GPU: "0"} for side in ("capacity", "allocatable")})

    assert nodes_of(away) == (Node(name="away", slots=(), schedulable=False, reason="it offers no nvidia.com/gpu now"),)
    assert types_of(away) == ()


def test_a_configured_type_without_a_gpu_left_is_no_type_and_breaks_none():
    settings = KubeSettings(types={"h100": TypeSettings()})
    away = node("away", status={side: {GPU: "0"} for side in ("capacity", "allocatable")})

    assert names_of(away, node("well", gpus=1), settings=settings) == ["h100"]
    assert [each.slots for each in nodes_of(away, settings=settings)] == [()]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"spec": {"unschedulable": True}}, "cordoned"),
        ({"status": {"conditions": []}}, "not ready: it does not report"),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}},
         "not ready: NodeStatusUnknown"),
        ({"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no network"}]}},
         "not ready: no network"),
        ({"spec": {"taints": [{"key": "team", "value": "web", "effect": "NoSchedule"}]}},
         "tainted: team=web:NoSchedule"),
        ({"spec": {"taints": [{"key": "team", "effect": "NoExecute"}]}}, "tainted: team=:NoExecute"),
        ({"spec": {"taints": [{"key": "team", "effect": "PreferNoSchedule"}]}}, ""),
        ({"spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]}}, ""),
    ],
)  # fmt: skip
def test_a_node_where_nothing_may_start_says_why(changes, reason):
    (found,) = nodes_of(node(gpus=1, **changes))

    assert (found.schedulable, found.reason) == (not reason, reason)


def test_gpus_that_are_unwell_are_busy():
    sick = node(gpus=8, status={"allocatable": {GPU: "6"}})

    assert busy(nodes_of(sick)[0]) == [6, 7]


def test_gpus_that_others_have_are_the_last_that_we_do_not_hold():
    usage = Usage(taken={"node-a": {GPU: 3.0}}, slots={("node-a", "gpu"): frozenset({0, 6})})

    assert busy(nodes_of(node(gpus=8), usage=usage)[0]) == [4, 5, 7]


def test_others_and_unwell_gpus_together_leave_the_rest():
    sick = node(gpus=4, status={"allocatable": {GPU: "3"}})

    assert busy(nodes_of(sick, usage=Usage(taken={"node-a": {GPU: 2.0}}))[0]) == [1, 2, 3]


def test_more_taken_than_there_is_leaves_what_we_hold():
    usage = Usage(taken={"node-a": {GPU: 9.0}}, slots={("node-a", "gpu"): frozenset({1})})

    assert busy(nodes_of(node(gpus=4), usage=usage)[0]) == [0, 2, 3]


def test_use_of_another_node_or_resource_matters_nothing():
    usage = Usage(taken={"node-b": {GPU: 4.0}, "node-a": {"nvidia.com/mig-1g.10gb": 1.0}})

    assert busy(nodes_of(node(gpus=4), usage=usage)[0]) == []


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ({}, 9),
        # A tenth is left for what runs on every node.
        ({"cpu": 1.0, "memory": 10e9}, 9),
        ({"cpu": 5.0}, 5),
        ({"memory": 70e9}, 3),
        ({"cpu": 1.5}, 8),
        ({"cpu": 10.0}, 0),
        ({"cpu": 99.0}, 0),
    ],
)
def test_places_without_a_gpu_are_as_many_as_fit_beside_others(taken, free):
    (found,) = nodes_of(node(), usage=Usage(taken={"node-a": taken}))

    assert len(found.slots) - len(busy(found)) == free


def test_places_that_we_hold_are_among_those_that_fit():
    usage = Usage(taken={"node-a": {"cpu": 5.0}}, slots={("node-a", "cpu"): frozenset({0, 1})})

    assert busy(nodes_of(node(), usage=usage)[0]) == [5, 6, 7, 8]


def test_zones_are_those_of_the_nodes_and_one_of_those_without():
    nodes = [node("a", labels={catalogue.ZONE: "eu-1b"}), node("b", labels={catalogue.ZONE: "eu-1a"}), node("c")]

    assert catalogue.zones(nodes) == ("eu-1a", "eu-1b", "local")
    assert [each.zone for each in nodes_of(*nodes)] == ["eu-1b", "eu-1a", "local"]


def test_machines_are_named_as_their_cloud_does():
    labels = {catalogue.ZONE: "eu-1a", catalogue.INSTANCE_TYPE: "p5.48xlarge"}
    nodes = [
        node("a", labels=labels, spec={"providerID": "aws:///eu-1a/i-1"}),
        node("b", status={"conditions": []}),
    ]

    assert catalogue.instances(nodes) == (
        Instance(id="aws:///eu-1a/i-1", type="p5.48xlarge", zone="eu-1a", state="running"),
        Instance(id="b", type="node", zone="local", state="not ready"),
    )


@pytest.mark.parametrize(
    ("handlers", "able"),
    [
        ([], False),
        ([{"name": "", "features": {"userNamespaces": True}}], True),
        ([{"features": {"userNamespaces": True}}], True),
        ([{"name": "", "features": {"userNamespaces": False}}, {"name": "runc", "features": {"userNamespaces": True}}],
         False),
        ([{"name": ""}], False),
    ],
)  # fmt: skip
def test_user_namespaces_are_those_of_the_default_runtime(handlers, able):
    assert catalogue.has_user_namespaces(node(status={"runtimeHandlers": handlers})) is able
