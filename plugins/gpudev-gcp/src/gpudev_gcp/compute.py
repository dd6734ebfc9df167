"""Boxes as pods of a GKE cluster: what any cluster does, reached by Google's credentials; and its machines, which come and go."""

from __future__ import annotations

from typing import Any, ClassVar

from gpudev_gcp import cluster, instances
from gpudev_gcp.scaling import GcpScaling
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.spot import NodeSpot
from gpudev_sdk.domain.gpu import Instance
from gpudev_sdk.kube import catalogue
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.cluster import reach
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.kinds import Json
from gpudev_sdk.providers import Context


class GcpCompute(GcpScaling, NodeSpot, PodCompute):
    """Pods of one cluster: the one of GKE that settings name, or the one that a kubeconfig leads to."""

    Settings: ClassVar[type[Any]] = GcpSettings

    def __init__(self, settings: GcpSettings, context: Context, session: Session | None = None) -> None:
        super().__init__(settings, context)
        self._gcp = settings
        self._session = session or Session(settings)

    def connect(self) -> Api:
        """Reach the cluster; of GKE, its address is asked for first."""
        if not self._gcp.cluster:
            return super().connect()
        return reach(cluster.find_access(self._session), self._gcp.namespace)

    def list_instances(self) -> tuple[Instance, ...]:
        """List the machines behind nodes, also those that never became a node."""
        if not self._gcp.cluster:
            return super().list_instances()
        return instances.of_cluster(self._session)

    def _our_nodes(self) -> list[Json]:
        return catalogue.ours(self._gcp, self._view.nodes())

    def describe(self) -> dict[str, str]:
        named = {"cluster": f"{self._gcp.cluster} in {self._gcp.cluster_location}"} if self._gcp.cluster else {}
        return {"project": self._gcp.project, **named, **super().describe()}
