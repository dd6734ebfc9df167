"""More machines, and fewer: EKS's managed node groups of one cluster. Growing is by number, shrinking by name.

Only node groups that settings name, or that have the tag `gpudev:install` with our install id, are seen and changed.
https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateNodegroupConfig.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
EKS sets a number whatever it was: two *processes* that grow one pool at the same moment can set it to the smaller of theirs. One
process does it, and here one thread.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

from gpudev_aws import catalogue, pools
from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent
from gpudev_aws.pools import Group
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_aws.tags import Json
from gpudev_sdk.errors import Conflict, MissingAbility, NotFound, TryLater, Unworkable
from gpudev_sdk.providers.scaling import CapacityReservation, NodePool, Scaling

_PAGE, _MOST_NAMES, _MOST_VALUES = 100, 50, 200
_ALIVE = ["pending", "running", "stopping", "stopped"]
#: Words of autoscaling's one ValidationError: what is gone, and what may not go.
_GONE, _TOO_FEW = "no managed instance found", "min size constraint"
#: One lock a pool: who grows it waits for its turn. Of a cluster's name and a pool's there is one in a region.
_turns: dict[tuple[str, str, str], threading.Lock] = {}


class AwsScaling(Scaling):
    """What a compute class of AWS takes in to grow and shrink; it has to have the three below."""

    session: Session
    _aws: AwsSettings
    _install: uuid.UUID

    def node_pools(self) -> tuple[NodePool, ...]:
        groups = self._groups([each for each in self._described() if pools.has_machines(each)])
        kinds = {each.name: each for each in catalogue.describe(self._ec2, {group.machine_type for group in groups})}
        return tuple(group.pool(self._aws, kinds[group.machine_type]) for group in groups)

    def grow(self, pool: str, wanted: int) -> None:
        with _turns.setdefault((self._aws.region, self._cluster, pool), threading.Lock()):
            group = self._group(pool)
            most = sum(int(each["MaxSize"]) for each in group.scaled)
            if wanted > most:
                hint = "Raise the maximum of the node group first: aws eks update-nodegroup-config --scaling-config."
                raise Unworkable(f"the pool {pool} can have {most} machines, and {wanted} were asked for", hint=hint)
            if wanted <= group.coming:
                return
            asked = {"clusterName": self._cluster, "nodegroupName": pool, "scalingConfig": {"desiredSize": wanted}}
            try:
                self._eks.one(f"grow the pool {pool}", "update_nodegroup_config", **asked)
            except Conflict as error:
                raise TryLater(f"EKS changes the pool {pool} already") from error

    def remove_node(self, pool: str, node: str) -> None:
        group = self._group(pool)
        instance = self._instance_of(group, node)
        if instance is None or group.instances[instance].startswith("Terminat"):
            return
        least = sum(int(each["MinSize"]) for each in group.scaled)
        if group.wanted <= least:
            raise _too_few(pool, least)
        asked = {"InstanceId": instance, "ShouldDecrementDesiredCapacity": True}
        try:
            # Once: done twice it would ask for two fewer.
            self._autoscaling.once(f"remove {node}", "terminate_instance_in_auto_scaling_group", **asked)
        except Unworkable as error:
            said = error.message.lower()
            if _TOO_FEW in said:
                raise _too_few(pool, least) from error
            if _GONE not in said:
                raise

    def capacity_reservations(self) -> tuple[CapacityReservation, ...]:
        listed = self._ec2.list("see what is reserved", "describe_capacity_reservations", "CapacityReservations", _PAGE)
        groups = self._groups([each for each in self._described() if pools.has_machines(each)])
        zones = {zone for group in groups for each in group.scaled for zone in each["AvailabilityZones"]}
        return pools.reservations(listed, zones)

    def _group(self, pool: str) -> Group:
        """Return a pool of ours. Raises NotFound for any other."""
        described = self._describe(pool)
        if described is None or not pools.has_machines(described):
            raise NotFound(f"there is no pool {pool[:80]!r} of this install in the cluster {self._cluster}")
        return self._groups([described])[0]

    def _described(self) -> list[Json]:
        names = self._eks.list("see the pools", "list_nodegroups", "nodegroups", _PAGE, clusterName=self._cluster)
        return [found for name in sorted(map(str, names)) if (found := self._describe(name)) is not None]

    def _describe(self, name: str) -> Json | None:
        """Return a node group as EKS has it, or None if there is none or it is not ours."""
        asked = {"clusterName": self._cluster, "nodegroupName": name}
        try:
            found: Json = self._eks.one(f"see the pool {name}", "describe_nodegroup", **asked)["nodegroup"]
        except Absent:
            return None
        return found if pools.is_ours(found, self._install, self._aws.pools) else None

    def _groups(self, described: list[Json]) -> list[Group]:
        names = sorted({name for each in described for name in pools.scaled_by(each)})
        scaled = {str(each["AutoScalingGroupName"]): each for some in _some(names) for each in self._scaled(some)}
        groups = []
        for each in described:
            own = [scaled[name] for name in pools.scaled_by(each) if name in scaled]
            if not own:
                raise TryLater(f"the autoscaling group of the pool {each['nodegroupName']} is not seen")
            groups.append(Group(described=each, scaled=tuple(own), machine_type=self._machine_type(each)))
        return groups

    def _scaled(self, names: list[str]) -> list[Json]:
        return self._autoscaling.list(
            "see the pools", "describe_auto_scaling_groups", "AutoScalingGroups", _PAGE, AutoScalingGroupNames=names
        )

    def _machine_type(self, described: Json) -> str:
        """Return the type of a node group's machines; a launch template may be what says it."""
        kinds = described.get("instanceTypes")
        template = described.get("launchTemplate")
        if kinds or not template:
            return str((kinds or ["t3.medium"])[0])
        found = self._ec2.one(
            "see a pool's launch template",
            "describe_launch_template_versions",
            LaunchTemplateId=template["id"],
            Versions=[str(template.get("version") or "$Default")],
        )
        return str(found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"])

    def _instance_of(self, group: Group, node: str) -> str | None:
        """Return the machine of a node, or None if it is gone. Raises NotFound for one that is in another pool."""
        for some in _some(sorted(group.instances), _MOST_VALUES):
            for each in self._instances([{"Name": "instance-id", "Values": some}]):
                if node in (each["InstanceId"], each.get("PrivateDnsName")):
                    return str(each["InstanceId"])
        cluster = {"Name": "tag:eks:cluster-name", "Values": [self._cluster]}
        alive = {"Name": "instance-state-name", "Values": _ALIVE}
        for name in ("private-dns-name", "instance-id"):
            if self._instances([cluster, alive, {"Name": name, "Values": [node]}]):
                raise NotFound(f"the machine {node[:80]!r} is not in the pool {group.name}")
        return None

    def _instances(self, filters: list[Json]) -> list[Json]:
        found = self._ec2.list("see the machines", "describe_instances", "Reservations", _PAGE, Filters=filters)
        return [each for reservation in found for each in reservation["Instances"]]

    @property
    def _cluster(self) -> str:
        if not self._aws.cluster:
            hint = "Set `cluster` of the backend to the name of an EKS cluster."
            raise MissingAbility("this backend names no EKS cluster, so there are no pools to grow", hint=hint)
        return self._aws.cluster

    @property
    def _ec2(self) -> Calls:
        return Calls(self.session)

    @property
    def _eks(self) -> Calls:
        return Calls(self.session, "eks")

    @property
    def _autoscaling(self) -> Calls:
        return Calls(self.session, "autoscaling")


def _too_few(pool: str, least: int) -> Conflict:
    hint = "Lower the minimum of the node group first: aws eks update-nodegroup-config --scaling-config."
    return Conflict(f"the pool {pool} keeps {least} machines at least", hint=hint)


def _some(names: list[str], most: int = _MOST_NAMES) -> Iterator[list[str]]:
    for start in range(0, len(names), most):
        yield names[start : start + most]
