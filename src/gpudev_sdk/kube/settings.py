"""Settings of a backend on Kubernetes, shared by its compute and its storage."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import attrs

from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.domain.profiles import PROFILING, ROOT

#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_RESOURCE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
#: Set by GPU feature discovery: https://github.com/NVIDIA/k8s-device-plugin/tree/main/docs/gpu-feature-discovery
GPU_PRODUCT = "nvidia.com/gpu.product"
_ACCESS = ("ReadWriteOncePod", "ReadWriteOnce", "ReadWriteMany")


def _dns_label(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not _DNS_LABEL.match(value):
        raise ValueError(f"{attribute.name}: {value[:80]!r} is not a name of Kubernetes: a-z, 0-9 and -, at most 63")


def _resource(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not _RESOURCE.match(value):
        raise ValueError(f"resource: {value[:80]!r} is not a resource such as nvidia.com/gpu")


def _networks(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for network in value:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {network[:80]!r} is not a network such as 10.0.0.0/8") from error


def _one_of(*lawful: str) -> Any:
    def check(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in lawful:
            raise ValueError(f"{attribute.name}: {value[:80]!r} is none of {', '.join(lawful)}")

    return check


def _between(low: float, high: float) -> Any:
    def check(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name}: {value} is not from {low} to {high}")

    return check


def _profiles(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for name in value:
        if name not in (ROOT, PROFILING):
            raise ValueError(f"profiles: {name[:80]!r} is neither {ROOT} nor {PROFILING}")


@attrs.frozen(kw_only=True)
class TypeSettings:
    """One GPU type, as an operator describes it; the name is its key under `types`."""

    #: What a node offers it as; empty for a type without a GPU.
    resource: str = attrs.field(default="nvidia.com/gpu", validator=_resource)
    #: Labels that a node of this type has.
    labels: dict[str, str] = attrs.field(factory=dict)
    #: Places on a node of a type without a GPU; 0 is one a CPU.
    slots_per_node: int = attrs.field(default=0, validator=_between(0, 4096))
    #: For people.
    description: str = ""


def _types(instance: object, attribute: attrs.Attribute[Any], value: dict[str, TypeSettings]) -> None:
    for name in value:
        if not LABEL.match(name):
            raise ValueError(f"types: {name[:80]!r} cannot name a GPU type; use a-z, 0-9, dots and -")


@attrs.frozen(kw_only=True)
class KubeSettings:
    """What an operator may say about a cluster."""

    #: A kubeconfig file; empty is the service account we run with, else ~/.kube/config.
    kubeconfig: str = ""
    #: A context of it; empty is its current one.
    context: str = ""
    #: Where dev servers and disks are.
    namespace: str = attrs.field(default="gpu-dev", validator=_dns_label)
    #: What a box runs when its request names no image.
    image: str = "debian:bookworm-slim"
    #: Brings the SSH server into every box (images/tools).
    tools_image: str = "gpudev/tools:0.1.0"
    #: Secrets with which images are pulled.
    pull_secrets: list[str] = attrs.field(factory=list)
    #: Only nodes with these labels are ours.
    node_labels: dict[str, str] = attrs.field(factory=dict)
    #: Taints, by key, that boxes tolerate.
    tolerations: list[str] = attrs.field(factory=lambda: ["nvidia.com/gpu"])
    #: GPU types; empty finds them by what nodes offer and by the labels of GPU feature discovery.
    types: dict[str, TypeSettings] = attrs.field(factory=dict, validator=_types)
    #: Labels that say which GPU a node has, where `types` is empty; the first that is there counts.
    product_labels: list[str] = attrs.field(factory=lambda: [GPU_PRODUCT])
    #: How much of a node's CPU and memory boxes share; the rest is for what runs on every node.
    share: float = attrs.field(default=0.9, validator=_between(0.05, 1.0))
    #: How much of a box's memory /dev/shm may take.
    shared_memory: float = attrs.field(default=0.5, validator=_between(0.0, 1.0))
    #: Ephemeral storage of a throw-away home, in bytes.
    scratch_bytes: int = attrs.field(default=20 * 2**30, validator=_between(2**20, 2**60))
    #: What boxes may be asked to be allowed: `root` (the namespace has to allow *baseline*, its nodes user namespaces), and
    #: `profiling` (the namespace has to allow *privileged*).
    profiles: list[str] = attrs.field(factory=list, validator=_profiles)
    #: Root in a box is nobody on the node, where the node's runtime can do that.
    user_namespaces: bool = True
    #: How long a box may take to end what runs in it.
    grace_seconds: int = attrs.field(default=30, validator=_between(1, 600))
    #: See what other people's pods use, which needs the right to read pods of all namespaces.
    count_others: bool = True
    #: Storage class of disks, and class of their snapshots; empty is the cluster's default.
    storage_class: str = ""
    snapshot_class: str = ""
    #: On which nodes a disk can be mounted once it is made: those of its `zone` (block storage of clouds), its `node` (folders of
    #: a machine), or all of the `backend` (a file server).
    disk_reach: str = attrs.field(default=Reach.ZONE.value, validator=_one_of(*(each.value for each in Reach)))
    #: The CSI driver of the disks, which says how many of them a node can have; empty: no limit is known.
    volume_driver: str = ""
    access_mode: str = attrs.field(default="ReadWriteOncePod", validator=_one_of(*_ACCESS))
    #: What the cluster's names end with; the short names of a gang's nodes need it.
    cluster_domain: str = "cluster.local"
    #: Network policies: made by us, or left to whoever runs the cluster.
    network_policies: bool = True
    #: Labels of the gateway's pods, and their namespace; only they may dial a box.
    gateway_namespace: str = attrs.field(default="gpu-controlplane", validator=_dns_label)
    gateway_labels: dict[str, str] = attrs.field(factory=lambda: {"app.kubernetes.io/component": "gateway"})
    #: What a box may not reach beside the metadata services of clouds: the cluster's own and private networks.
    closed_networks: list[str] = attrs.field(
        factory=lambda: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"], validator=_networks
    )
    #: The machine behind a node whose object was deleted is off for certain, as clouds do it.
    deleted_nodes_are_off: bool = False
