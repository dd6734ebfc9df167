"""Boxes as pods of an EKS cluster: what any cluster does, reached as EKS is, on instances as EC2 sees them."""

from __future__ import annotations

from typing import ClassVar

from gpudev_aws import cluster, instances
from gpudev_aws.calls import Calls
from gpudev_aws.scaling import AwsScaling
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_aws.spot import NodeSpot
from gpudev_sdk.domain.gpu import Instance
from gpudev_sdk.errors import NotFound
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.cluster import reach
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.providers import Context


class AwsCompute(NodeSpot, AwsScaling):
    """Pods of one EKS cluster, which can have more machines and fewer, and some that are taken back."""

    Settings: ClassVar[type[KubeSettings]] = AwsSettings

    def __init__(self, settings: AwsSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._aws = settings
        self.session = Session(settings.region, settings.endpoint, settings.calls_per_second)

    def connect(self) -> Api:
        """Reach the cluster. EKS is asked where it is; without the name of one, it is reached as any cluster is."""
        if not self._aws.cluster:
            return super().connect()
        return reach(cluster.access(self.session, self._aws.cluster), self._aws.namespace)

    def list_instances(self) -> tuple[Instance, ...]:
        return instances.refine(Calls(self.session), super().list_instances())

    def get_instance(self, instance_id: str) -> Instance:
        # One alone is asked for, and not all of the cluster.
        for instance in super().list_instances():
            if instance.id == instance_id:
                return instances.refine(Calls(self.session), (instance,))[0]
        raise NotFound(f"there is no machine {instance_id[:80]!r} in this cluster")

    def describe(self) -> dict[str, str]:
        shown = self._aws.cluster or "by the kubeconfig"
        return {"region": self._aws.region, "cluster": shown, **super().describe()}
