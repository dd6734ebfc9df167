"""EKS's managed node groups as pools: what they are made of, and the autoscaling groups that keep their machines. Pure.

https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import attrs

from gpudev_aws import tags
from gpudev_aws.catalogue import InstanceType
from gpudev_aws.tags import Json
from gpudev_sdk.kube.catalogue import INSTANCE_TYPE
from gpudev_sdk.kube.names import GPU_TYPE
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.providers.scaling import CapacityReservation, NodePool

#: In these states a node group has no machines yet, or none any more.
_WITHOUT = ("CREATING", "CREATE_FAILED", "DELETING", "DELETE_FAILED")
#: What is over, or never was. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CapacityReservation.html
_OVER = ("expired", "cancelled", "failed", "payment-failed", "unsupported")


@attrs.frozen(kw_only=True)
class Group:
    """One node group, with its autoscaling groups."""

    described: Json
    scaled: tuple[Json, ...]
    #: The type of its machines, the first where several are allowed.
    machine_type: str

    @property
    def name(self) -> str:
        """Return what EKS calls it."""
        return str(self.described["nodegroupName"])

    @property
    def wanted(self) -> int:
        """Return how many machines are asked for: the autoscaling group's word, which a removal changes at once."""
        return sum(int(each["DesiredCapacity"]) for each in self.scaled)

    @property
    def coming(self) -> int:
        """Return how many are asked for once what EKS does now is done."""
        changing = self.described.get("status") == "UPDATING"
        return max(self.wanted, int(self._scaling.get("desiredSize") or 0)) if changing else self.wanted

    @property
    def instances(self) -> dict[str, str]:
        """Return its machines by id, with the state that each is in."""
        return {own["InstanceId"]: own["LifecycleState"] for each in self.scaled for own in each["Instances"]}

    @property
    def _scaling(self) -> Json:
        return self.described.get("scalingConfig") or {}

    def pool(self, settings: KubeSettings, kind: InstanceType) -> NodePool:
        """Return it as those have it who grow and shrink it."""
        zones = {zone for each in self.scaled for zone in each["AvailabilityZones"]}
        return NodePool(
            name=self.name,
            machine_type=self.machine_type,
            gpu_type=_gpu_type(self.described, settings, kind),
            gpus_per_node=kind.gpus,
            zones=tuple(sorted(zones)),
            wanted=self.wanted,
            minimum=sum(int(each["MinSize"]) for each in self.scaled),
            maximum=sum(int(each["MaxSize"]) for each in self.scaled),
            spot=self.described.get("capacityType") == "SPOT",
        )


def is_ours(described: Json, install: uuid.UUID, named: Collection[str]) -> bool:
    """Say whether a node group is ours to change: settings name it, or it has a tag with our install id."""
    tag = (described.get("tags") or {}).get(tags.INSTALL)
    return tag == str(install) or described["nodegroupName"] in named


def has_machines(described: Json) -> bool:
    """Say whether a node group is one that can have machines."""
    return described.get("status") not in _WITHOUT


def scaled_by(described: Json) -> list[str]:
    """Return the names of the autoscaling groups of a node group."""
    groups = (described.get("resources") or {}).get("autoScalingGroups") or []
    return [str(each["name"]) for each in groups]


def reservations(listed: list[Json], zones: Collection[str]) -> tuple[CapacityReservation, ...]:
    """Return what is reserved in some zones, or anywhere if there are none, without what is over."""
    return tuple(
        CapacityReservation(
            id=each["CapacityReservationId"],
            machine_type=each["InstanceType"],
            zone=each["AvailabilityZone"],
            total=int(each["TotalInstanceCount"]),
            available=int(each.get("AvailableInstanceCount") or 0),
            state=each["State"],
            ends_at=each.get("EndDate"),
        )
        for each in sorted(listed, key=lambda each: str(each["CapacityReservationId"]))
        if each["State"] not in _OVER and (not zones or each["AvailabilityZone"] in zones)
    )


def _gpu_type(described: Json, settings: KubeSettings, kind: InstanceType) -> str | None:
    """Return by which name its nodes will be listed, as `kube.catalogue` names them: by the operator, by a label, by EC2."""
    if not kind.gpus:
        return None
    labels = {INSTANCE_TYPE: kind.name} | (described.get("labels") or {})
    for name, configured in settings.types.items():
        if configured.resource and configured.labels.items() <= labels.items():
            return name
    return str(labels.get(GPU_TYPE, "")).lower() or kind.gpu_type
