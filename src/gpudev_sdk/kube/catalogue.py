"""What a cluster offers: GPU types from what its nodes have, and nodes with their slots. Pure.

Labels: `nvidia.com/gpu.product` of GPU feature discovery
(https://github.com/NVIDIA/gpu-feature-discovery), `topology.kubernetes.io/zone` and `node.kubernetes.io/instance-type` of
https://kubernetes.io/docs/reference/labels-annotations-taints/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from gpudev_sdk.domain.gpu import GpuType, Instance, Node, Slot, type_name
from gpudev_sdk.domain.profiles import ROOT
from gpudev_sdk.kube import quantity
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.kube.names import GPU_TYPE
from gpudev_sdk.kube.settings import KubeSettings, TypeSettings
from gpudev_sdk.kube.usage import Usage

ZONE, INSTANCE_TYPE = "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type"
#: What the NVIDIA device plugin offers: whole GPUs, and MIG slices such as nvidia.com/mig-1g.10gb.
_NVIDIA = re.compile(r"nvidia\.com/(gpu|mig-[0-9]+g\.[0-9]+gb(\.me)?)\Z")
#: Where a node has no zone.
NO_ZONE = "local"
CPU = "cpu"
NO_LIMITS: Mapping[str, int] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Offer:
    """One type on one node."""

    name: str
    settings: TypeSettings
    node: Json
    #: GPUs that the node has, and that it can hand out now.
    gpus: int
    healthy: int
    cpus: float
    memory: float
    #: What boxes there may be asked to be allowed.
    profiles: tuple[str, ...] = ()


def ours(settings: KubeSettings, nodes: list[Json]) -> list[Json]:
    """Return the nodes that settings name as ours."""
    return [node for node in nodes if settings.node_labels.items() <= labels_of(node).items()]


def offers(settings: KubeSettings, nodes: list[Json]) -> list[Offer]:
    """Return what each of our nodes offers, by configured types or by what is found."""
    reported = [node for node in ours(settings, nodes) if _has_reported(node)]
    return [
        _offer(name, kind, node, settings)
        for node in sorted(reported, key=lambda node: str(node["metadata"]["name"]))
        for name, kind in _kinds(settings, node).items()
    ]


def gpu_types(offered: list[Offer]) -> tuple[GpuType, ...]:
    """Return the types; of nodes that differ, each type has what the smallest brings."""
    by_name: dict[str, list[Offer]] = {}
    for offer in offered:
        # A node whose device plugin is away has none of its GPUs just now.
        if offer.gpus or not offer.settings.resource:
            by_name.setdefault(offer.name, []).append(offer)
    return tuple(_gpu_type(name, same) for name, same in sorted(by_name.items()))


def nodes(
    settings: KubeSettings, offered: list[Offer], usage: Usage, volumes: Mapping[str, int] = NO_LIMITS
) -> tuple[Node, ...]:
    """Return the nodes with their slots; what pods of others take is busy. `volumes` says how many each can have, by name."""
    kinds = {kind.name: kind for kind in gpu_types(offered)}
    by_node: dict[str, list[Offer]] = {}
    for offer in offered:
        by_node.setdefault(offer.node["metadata"]["name"], []).append(offer)
    return tuple(
        Node(
            name=name,
            slots=tuple(
                slot for offer in same if offer.name in kinds for slot in _slots(offer, kinds[offer.name], usage)
            ),
            zone=labels_of(same[0].node).get(ZONE, NO_ZONE),
            schedulable=not (reason := why_not(same[0].node, settings.tolerations) or _without_gpus(same)),
            reason=reason,
            volumes=volumes.get(name),
        )
        for name, same in by_node.items()
    )


def without_taken(seen: tuple[Node, ...], why: dict[str, str]) -> tuple[Node, ...]:
    """Return the nodes, those that are taken back as ones where nothing may start, whatever is tolerated."""
    return tuple(
        attrs.evolve(node, schedulable=False, reason=node.reason or f"it is taken back: {why[node.name]}")
        if why.get(node.name)
        else node
        for node in seen
    )


def instances(nodes: list[Json]) -> tuple[Instance, ...]:
    """Return the machines behind nodes; their id is the cloud's own where it gave one."""
    return tuple(
        Instance(
            id=(node.get("spec") or {}).get("providerID") or node["metadata"]["name"],
            type=labels_of(node).get(INSTANCE_TYPE, "node"),
            zone=labels_of(node).get(ZONE, NO_ZONE),
            state="running" if is_ready(node) else "not ready",
        )
        for node in nodes
    )


def zones(nodes: list[Json]) -> tuple[str, ...]:
    """Return the zones of nodes."""
    return tuple(sorted({labels_of(node).get(ZONE, NO_ZONE) for node in nodes}))


def labels_of(node: Json) -> dict[str, str]:
    """Return a node's labels."""
    return node["metadata"].get("labels") or {}


def is_ready(node: Json) -> bool:
    """Say whether a node's kubelet reports that it is well."""
    return _condition(node, "Ready").get("status") == "True"


def why_not(node: Json, tolerated: list[str]) -> str:
    """Say why nothing may start on a node, or nothing."""
    spec = node.get("spec") or {}
    if spec.get("unschedulable"):
        return "cordoned"
    ready = _condition(node, "Ready")
    if ready.get("status") != "True":
        return f"not ready: {ready.get('message') or ready.get('reason') or 'it does not report'}"[:200]
    for taint in spec.get("taints") or []:
        if taint.get("effect") in ("NoSchedule", "NoExecute") and taint.get("key") not in tolerated:
            return f"tainted: {taint.get('key')}={taint.get('value', '')}:{taint['effect']}"
    return ""


def _without_gpus(same: list[Offer]) -> str:
    missing = [offer.settings.resource for offer in same if offer.settings.resource and not offer.gpus]
    return f"it offers no {missing[0]} now" if len(missing) == len(same) else ""


def _has_reported(node: Json) -> bool:
    """Say whether a node has told what it has; one that just joined has not, and would count as the smallest."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return quantity.read(allocatable.get("cpu")) > 0 and quantity.read(allocatable.get("memory")) > 0


def has_user_namespaces(node: Json) -> bool:
    """Say whether the node's default runtime can run a pod with users of its own."""
    handlers = (node.get("status") or {}).get("runtimeHandlers") or []
    return any(not each.get("name") and (each.get("features") or {}).get("userNamespaces") for each in handlers)


def _condition(node: Json, name: str) -> Json:
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == name), {})


def _kinds(settings: KubeSettings, node: Json) -> dict[str, TypeSettings]:
    if not settings.types:
        return _found(settings, node)
    capacity = (node.get("status") or {}).get("capacity") or {}
    return {
        name: kind
        for name, kind in settings.types.items()
        if kind.labels.items() <= labels_of(node).items() and (not kind.resource or kind.resource in capacity)
    }


def _found(settings: KubeSettings, node: Json) -> dict[str, TypeSettings]:
    """Return the types of a node by what it offers; one without a GPU is of the type `cpu`."""
    labels = labels_of(node)
    product = next((labels[name] for name in settings.product_labels if labels.get(name)), "")
    base = labels.get(GPU_TYPE, "").lower() or (type_name(product) if product else "gpu")
    capacity = (node.get("status") or {}).get("capacity") or {}
    offered = {each: quantity.read(count) for each, count in capacity.items() if _NVIDIA.match(each)}
    if not offered:
        return {CPU: TypeSettings(resource="", description="no GPU")}
    # With its device plugin away a node has none of all, and is still no node for those who need none.
    there = [each for each, count in offered.items() if count > 0] or list(offered)
    named = {each: each.removeprefix("nvidia.com/") for each in there}
    return {
        base if name == "gpu" else f"{base}-{name}": TypeSettings(resource=resource, description=product)
        for resource, name in named.items()
    }


def _offer(name: str, kind: TypeSettings, node: Json, settings: KubeSettings) -> Offer:
    status = node.get("status") or {}
    capacity, allocatable = status.get("capacity") or {}, status.get("allocatable") or {}
    return Offer(
        name=name,
        settings=kind,
        node=node,
        gpus=int(quantity.read(capacity.get(kind.resource))) if kind.resource else 0,
        healthy=int(quantity.read(allocatable.get(kind.resource))) if kind.resource else 0,
        cpus=quantity.read(allocatable.get("cpu")) * settings.share,
        memory=quantity.read(allocatable.get("memory")) * settings.share,
        profiles=tuple(profile for profile in settings.profiles if _allows(profile, kind, node, settings)),
    )


def _allows(profile: str, kind: TypeSettings, node: Json, settings: KubeSettings) -> bool:
    """Say whether a node can have boxes of a profile that its operator offers."""
    if profile == ROOT:
        return settings.user_namespaces and has_user_namespaces(node)
    return bool(kind.resource)


def _gpu_type(name: str, same: list[Offer]) -> GpuType:
    kind = same[0].settings
    cpus = min(offer.cpus for offer in same)
    return GpuType(
        name=name,
        gpus_per_node=max(offer.gpus for offer in same) if kind.resource else 0,
        slots_per_node=0 if kind.resource else kind.slots_per_node or max(1, int(cpus)),
        cpus=round(cpus, 3),
        memory_bytes=int(min(offer.memory for offer in same)),
        description=kind.description,
        resource=kind.resource,
        labels=dict(kind.labels),
        gang=True,
        profiles=tuple(sorted(set.intersection(*(set(offer.profiles) for offer in same)))),
    )


def _slots(offer: Offer, kind: GpuType, usage: Usage) -> list[Slot]:
    node = offer.node["metadata"]["name"]
    if kind.is_cpu:
        total = kind.slots
        busy = total - _places(offer, kind, usage.others(node))
    else:
        total = offer.gpus
        taken = usage.others(node).get(offer.settings.resource, 0.0)
        busy = int(taken) + offer.gpus - offer.healthy
    held = usage.held(node, offer.name)
    free = [index for index in range(total) if index not in held]
    # We say which places of a node are taken by others, as Kubernetes only counts them: the last that we do not hold.
    outside = set(free[max(0, len(free) - busy) :]) if busy > 0 else set()
    return [
        Slot(gpu_type=offer.name, index=index, busy_outside="pods of others" if index in outside else None)
        for index in range(total)
    ]


def _places(offer: Offer, kind: GpuType, taken: dict[str, float]) -> int:
    """Return how many boxes of a type without a GPU have room beside what others take."""
    allocatable = offer.node["status"]["allocatable"]
    by_cpu = (quantity.read(allocatable.get("cpu")) - taken.get("cpu", 0.0)) / (kind.cpus / kind.slots)
    by_memory = (quantity.read(allocatable.get("memory")) - taken.get("memory", 0.0)) / (kind.memory_bytes / kind.slots)
    return max(0, min(kind.slots, int(by_cpu + 1e-6), int(by_memory + 1e-6)))
