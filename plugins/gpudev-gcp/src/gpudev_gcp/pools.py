"""Node pools of GKE: what one is made of, and the instance groups behind it. Pure.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import attrs

from gpudev_gcp.catalogue import ACCELERATOR_LABEL, Gpus, gpus_of
from gpudev_sdk.kube.catalogue import INSTANCE_TYPE
from gpudev_sdk.kube.names import GPU_TYPE
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.providers.scaling import NodePool

Json: TypeAlias = dict[str, Any]

POOL_LABEL = "cloud.google.com/gke-nodepool"
#: Nodes of a pool in one zone: https://cloud.google.com/kubernetes-engine/quotas
_MOST = 1000
_LONGEST_NAME = 63


@attrs.frozen
class Group:
    """A managed instance group: the machines of a pool in one zone."""

    zone: str
    name: str


@attrs.frozen
class Sized:
    """A group, how many machines are asked of it, and what their names begin with."""

    group: Group
    size: int
    base: str


def groups_of(pool: Json) -> tuple[Group, ...]:
    """Return a pool's groups, by the URLs that it has of them: …/zones/ZONE/instanceGroupManagers/NAME."""
    split = [str(url).split("/") for url in pool.get("instanceGroupUrls") or []]
    return tuple(Group(zone=parts[-3], name=parts[-1]) for parts in split if len(parts) > 3)


def is_ours(pool: Json, settings: KubeSettings) -> bool:
    """Say whether a pool's nodes are among those that settings name as ours."""
    return settings.node_labels.items() <= _labels(pool).items()


def read(pool: Json, settings: KubeSettings, wanted: int) -> NodePool:
    """Return a pool as the engine has it."""
    config, zones = pool.get("config") or {}, tuple(sorted(pool.get("locations") or ()))
    gpus = _gpus(config)
    minimum, maximum = _limits(pool, len(zones))
    return NodePool(
        name=str(pool["name"]),
        machine_type=str(config.get("machineType") or "unknown"),
        gpu_type=_gpu_type(pool, settings, gpus) if gpus else None,
        gpus_per_node=gpus.count if gpus else 0,
        zones=zones,
        wanted=wanted,
        # Somebody else may have asked for more, or fewer, than Google's own autoscaler would.
        minimum=min(minimum, wanted),
        maximum=max(maximum, wanted),
        spot=bool(config.get("spot") or config.get("preemptible")),
    )


def spread(groups: list[Sized], more: int) -> dict[Group, int]:
    """Return how many machines are added to each group, so that they end as even as can be."""
    sizes = {each.group: each.size for each in groups}
    added: dict[Group, int] = {}
    for _ in range(more):
        least = min(sizes, key=lambda group: (sizes[group], group.zone))
        sizes[least] += 1
        added[least] = added.get(least, 0) + 1
    return added


def new_names(base: str, present: set[str], count: int) -> list[str]:
    """Return names of new machines, which two who see the same machines make alike: the second of them then adds nothing."""
    names: list[str] = []
    seed, number = "\n".join(sorted(present)), 0
    while len(names) < count:
        suffix = hashlib.sha256(f"{base}\n{seed}\n{number}".encode()).hexdigest()[:8]
        name = f"{base[: _LONGEST_NAME - 9]}-{suffix}"
        if name not in present:
            names.append(name)
        number += 1
    return names


def _limits(pool: Json, zones: int) -> tuple[int, int]:
    """Return between how many machines a pool is kept: by the autoscaler of GKE if it is on, counted in all or by zone."""
    scaler = pool.get("autoscaling") or {}
    if not scaler.get("enabled"):
        return 0, _MOST * max(1, zones)
    if scaler.get("totalMaxNodeCount"):
        return int(scaler.get("totalMinNodeCount") or 0), int(scaler["totalMaxNodeCount"])
    return int(scaler.get("minNodeCount") or 0) * zones, int(scaler.get("maxNodeCount") or 0) * zones


def _gpus(config: Json) -> Gpus | None:
    """Return the GPUs of each machine: those that were added to it, or that come with its type."""
    for each in config.get("accelerators") or []:
        if int(each.get("acceleratorCount") or 0) > 0:
            return Gpus(str(each["acceleratorType"]), int(each["acceleratorCount"]))
    return gpus_of(str(config.get("machineType") or ""))


def _gpu_type(pool: Json, settings: KubeSettings, gpus: Gpus) -> str:
    """Return what our catalogue calls the GPUs of a pool's nodes."""
    labels = _labels(pool) | {ACCELERATOR_LABEL: gpus.accelerator}
    for name, kind in settings.types.items():
        if kind.resource and kind.labels.items() <= labels.items():
            return name
    return labels.get(GPU_TYPE, "").lower() or gpus.gpu_type


def _labels(pool: Json) -> dict[str, str]:
    """Return the labels that a pool's nodes have, those that GKE puts there among them."""
    config = pool.get("config") or {}
    named = {POOL_LABEL: str(pool.get("name")), INSTANCE_TYPE: str(config.get("machineType"))}
    return named | (config.get("labels") or {})
