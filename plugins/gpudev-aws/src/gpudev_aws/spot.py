"""Machines of EC2 Spot, and those that are being taken back: told by the labels and taints of their nodes.

Labels: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html#managed-node-group-capacity-types and
https://karpenter.sh/docs/reference/labels/ . EC2 warns two minutes before; it is the AWS Node Termination Handler
(https://github.com/aws/aws-node-termination-handler, with `taintNode`) or Karpenter (https://karpenter.sh/docs/concepts/disruption/)
that hears it and taints the node. A node group's own draining only cordons it, which cannot be told from a person's.
"""

from __future__ import annotations

from gpudev_sdk.kube import catalogue
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.providers.scaling import Interruption, Spot

#: Each label with its value on a node that can be taken back.
SPOT = {"eks.amazonaws.com/capacityType": "SPOT", "karpenter.sh/capacity-type": "spot"}
_HANDLER = "aws-node-termination-handler"
#: Taints of nodes whose machine goes. One that may only go soon (`rebalance-recommendation`) is not among them.
GOING = {
    f"{_HANDLER}/spot-itn": "EC2 takes the Spot machine back",
    f"{_HANDLER}/asg-lifecycle-termination": "its autoscaling group removes the machine",
    f"{_HANDLER}/scheduled-maintenance": "EC2 has maintenance of the machine",
    "karpenter.sh/disrupted": "Karpenter removes the machine",
    # Karpenter before 1.0.
    "karpenter.sh/disruption": "Karpenter removes the machine",
}
_EFFECTS = ("NoSchedule", "NoExecute")


class NodeSpot(PodCompute, Spot):
    """Pods of a cluster some of whose nodes can be taken back."""

    def spot_nodes(self) -> tuple[str, ...]:
        return tuple(sorted(_name(node) for node in self._our_nodes() if is_spot(node)))

    def interruptions(self) -> tuple[Interruption, ...]:
        found = [
            Interruption(node=_name(node), at=None, reason=reason)
            for node in self._our_nodes()
            if (reason := going(node)) is not None
        ]
        return tuple(sorted(found, key=lambda each: each.node))

    def _why_taken(self, node: Json) -> str:
        return going(node) or ""

    def _our_nodes(self) -> list[Json]:
        return catalogue.ours(self._settings, self._view.nodes())


def is_spot(node: Json) -> bool:
    """Say whether a node's machine can be taken back."""
    labels = catalogue.labels_of(node)
    return any(labels.get(name) == value for name, value in SPOT.items())


def going(node: Json) -> str | None:
    """Say why a node's machine goes, or None if nobody said that it does."""
    for taint in (node.get("spec") or {}).get("taints") or []:
        if taint.get("key") in GOING and taint.get("effect") in _EFFECTS:
            return GOING[taint["key"]]
    return None


def _name(node: Json) -> str:
    return str(node["metadata"]["name"])
