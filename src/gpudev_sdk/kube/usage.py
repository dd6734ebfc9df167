"""What pods take of their nodes: other people's, which are counted, and ours, which say which slots they hold. Pure."""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.kube import quantity
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.kube.names import GPU_TYPE, SLOTS, is_ours

_OVER = ("Succeeded", "Failed")


@attrs.frozen(kw_only=True)
class Usage:
    """Sums by node."""

    taken: dict[str, dict[str, float]] = attrs.field(factory=dict)
    slots: dict[tuple[str, str], frozenset[int]] = attrs.field(factory=dict)

    def others(self, node: str) -> dict[str, float]:
        """Return what pods of others request of a node, by resource."""
        return self.taken.get(node, {})

    def held(self, node: str, gpu_type: str) -> frozenset[int]:
        """Return the slots that our pods hold there."""
        return self.slots.get((node, gpu_type), frozenset())


def trim(pod: Json) -> Json:
    """Keep of a pod what counting needs."""
    metadata, spec = pod["metadata"], pod["spec"]
    kept = {name: metadata.get(name) for name in ("name", "namespace", "resourceVersion", "labels")}
    slots = (metadata.get("annotations") or {}).get(SLOTS)
    return {
        "metadata": {**kept, "annotations": {SLOTS: slots} if slots else {}},
        "node": spec.get("nodeName") or "",
        "phase": (pod.get("status") or {}).get("phase") or "",
        "requests": requests_of(spec),
    }


def requests_of(spec: Json) -> dict[str, float]:
    """Return what a pod requests in all: its containers together, or its largest init container if that is more.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    running = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    starting = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") != "Always"]
    total: dict[str, float] = dict(_plus([*spec["containers"], *running]))
    for container in starting:
        for name, amount in _plus([container]).items():
            total[name] = max(total.get(name, 0.0), amount)
    for name, text in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0.0) + quantity.read(text)
    return total


def count(pods: list[Json], install: uuid.UUID) -> Usage:
    """Add up trimmed pods. Without a right to see others', only ours are there, and nothing is taken."""
    taken: dict[str, dict[str, float]] = {}
    slots: dict[tuple[str, str], frozenset[int]] = {}
    for pod in pods:
        node = pod["node"]
        if not node or pod["phase"] in _OVER:
            continue
        if is_ours(pod, install):
            key = (node, (pod["metadata"].get("labels") or {}).get(GPU_TYPE, ""))
            slots[key] = slots.get(key, frozenset()) | _numbers(pod["metadata"]["annotations"].get(SLOTS, ""))
            continue
        sums = taken.setdefault(node, {})
        for name, amount in pod["requests"].items():
            sums[name] = sums.get(name, 0.0) + amount
    return Usage(taken=taken, slots=slots)


def _plus(containers: list[Json]) -> dict[str, float]:
    total: dict[str, float] = {}
    for container in containers:
        for name, text in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] = total.get(name, 0.0) + quantity.read(text)
    return total


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(word) for word in text.split(",") if word.isdecimal())
