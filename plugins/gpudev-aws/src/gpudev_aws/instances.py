"""EC2's instances behind a cluster's nodes: which one a node is, where, and in which state."""

from __future__ import annotations

import re
from typing import Any

from gpudev_aws.calls import Calls
from gpudev_aws.tags import Json, read
from gpudev_sdk.domain.gpu import Instance
from gpudev_sdk.errors import NoCapacity, Unworkable

#: What the cloud's controller calls an instance: `aws:///us-east-1a/i-0abc`.
_PROVIDER_ID = re.compile(r"aws:///[a-z0-9-]*/(i-[0-9a-f]{8,17})\Z")
#: Nodes are called by their private DNS name, or by their instance's id:
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html
_BY_ID = re.compile(r"(i-[0-9a-f]{8,17})(\.|\Z)")
_BY_ADDRESS = re.compile(r"ip-[0-9]+-[0-9]+-[0-9]+-[0-9]+(\.|\Z)")
_ALIVE = ["pending", "running", "stopping", "stopped"]
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
_MOST_VALUES = 200
_NAMES = "Nodes must be called by their instance's private DNS name or id, as EKS does it; else set the zone."


def instance_id(provider_id: str) -> str | None:
    """Return the id of the instance that a node says it is, if it is EC2's."""
    match = _PROVIDER_ID.match(provider_id)
    return match[1] if match else None


def zone_of(calls: Calls, node: str, cluster: str) -> str:
    """Return the zone of a node. Raises NoCapacity if its instance is gone, Unworkable if its name tells nothing."""
    by_id = _BY_ID.match(node)
    if not by_id and not _BY_ADDRESS.match(node):
        raise Unworkable(
            f"cannot tell in which zone the node {node[:80]!r} is, so no disk can be made there", hint=_NAMES
        )
    wanted = {"Name": "instance-id", "Values": [by_id[1]]} if by_id else {"Name": "private-dns-name", "Values": [node]}
    found = _all(calls, [wanted, {"Name": "instance-state-name", "Values": _ALIVE}])
    zones = {_zone(each) for each in found}
    if len(zones) > 1:
        # Networks of several clusters may use the same addresses.
        zones = {_zone(each) for each in found if _is_of(each, cluster)} or zones
    if len(zones) > 1:
        raise Unworkable(f"several instances are called {node[:80]!r}, in {', '.join(sorted(zones))}", hint=_NAMES)
    if not zones:
        message = f"there is no instance of the node {node[:80]!r} any more, so no zone to make the disk in"
        raise NoCapacity(message, hint=_NAMES)
    return zones.pop()


def refine(calls: Calls, listed: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Return instances as EC2 itself sees them; one that is no instance of EC2, or that it does not show, as it was."""
    by_id = {own: each for each in listed if (own := instance_id(each.id)) is not None}
    names = sorted(by_id)
    seen: dict[str, Json] = {}
    for start in range(0, len(names), _MOST_VALUES):
        some = names[start : start + _MOST_VALUES]
        seen |= {each["InstanceId"]: each for each in _all(calls, [{"Name": "instance-id", "Values": some}])}
    return tuple(_seen(each, seen.get(instance_id(each.id) or "")) for each in listed)


def _seen(instance: Instance, found: Json | None) -> Instance:
    if found is None:
        return instance
    state = found["State"]["Name"]
    # A node that is not ready on an instance that runs is what people want to know.
    shown = instance.state if state == "running" else state
    return Instance(id=instance.id, type=found["InstanceType"], zone=_zone(found), state=shown)


def _all(calls: Calls, filters: list[Json]) -> list[Json]:
    reservations = calls.list("see the instances", "describe_instances", "Reservations", 1000, Filters=filters)
    return [each for reservation in reservations for each in reservation["Instances"]]


def _zone(found: Json) -> str:
    return str(found["Placement"]["AvailabilityZone"])


def _is_of(found: Json, cluster: str) -> bool:
    """Say whether an instance is of a cluster, by the tags that EKS has its nodes carry."""
    known: dict[str, Any] = read(found)
    return bool(cluster) and (f"kubernetes.io/cluster/{cluster}" in known or known.get("eks:cluster-name") == cluster)
