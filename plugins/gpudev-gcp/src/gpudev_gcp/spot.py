"""Nodes that Google may take back, and those that it is taking back, by what their objects say. Pure but for the looking.

Labels of spot nodes: https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms . Before a machine is stopped, GKE taints
its node (https://cloud.google.com/kubernetes-engine/docs/concepts/handle-disruption-gpu-tpu ; GPU machines with up to an hour's
notice), and its kubelet says that it shuts down: https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
"""

from __future__ import annotations

from abc import abstractmethod

from gpudev_sdk.kube.catalogue import labels_of
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.providers.scaling import Interruption, Spot

LABELS = ("cloud.google.com/gke-spot", "cloud.google.com/gke-preemptible")
TAINT = "cloud.google.com/impending-node-termination"
#: What a kubelet says of itself when its machine goes down.
_SHUTDOWN = "node is shutting down"


class NodeSpot(Spot):
    """A base for compute on a cluster."""

    @abstractmethod
    def _our_nodes(self) -> list[Json]:
        """Return the objects of the nodes that are ours."""

    def spot_nodes(self) -> tuple[str, ...]:
        return tuple(sorted(_name(node) for node in self._our_nodes() if is_spot(node)))

    def interruptions(self) -> tuple[Interruption, ...]:
        told = {_name(node): reason for node in self._our_nodes() if (reason := why_taken(node))}
        return tuple(Interruption(node=name, at=None, reason=reason) for name, reason in sorted(told.items()))

    def _why_taken(self, node: Json) -> str:
        return why_taken(node)


def is_spot(node: Json) -> bool:
    """Say whether a node's machine may be taken back at any time."""
    return any(labels_of(node).get(label) == "true" for label in LABELS)


def why_taken(node: Json) -> str:
    """Say why a node is being taken back, or nothing. Any node can be: machines with GPUs are not moved for maintenance."""
    taints = (node.get("spec") or {}).get("taints") or []
    if any(taint.get("key") == TAINT for taint in taints):
        return "Google takes the machine back" if is_spot(node) else "Google stops the machine, for maintenance"
    if is_spot(node) and _shuts_down(node):
        return "Google takes the machine back: it is shutting down"
    return ""


def _shuts_down(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = [each for each in conditions if each.get("type") == "Ready" and each.get("status") != "True"]
    return any(_SHUTDOWN in str(each.get("message") or "") for each in ready)


def _name(node: Json) -> str:
    return str(node["metadata"]["name"])
