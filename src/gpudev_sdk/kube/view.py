"""What compute knows of a cluster: copies of its pods and nodes, and the API server itself where a copy cannot do."""

from __future__ import annotations

import uuid

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.kube import names, usage
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import NODE, POD, POD_ANYWHERE, Json
from gpudev_sdk.kube.mirror import Mirror

#: How long the first question waits for a copy to be filled.
_FIRST = 3.0


class View:
    """One install's view of one cluster. Threads may share it."""

    def __init__(self, api: Api, install: uuid.UUID, *, count_others: bool) -> None:
        self._api, self._install = api, install
        self._pods = Mirror(api, POD, names.selector(install, "server"), _trim_pod)
        self._nodes = Mirror(api, NODE, "", _trim_node)
        self._all = Mirror(api, POD_ANYWHERE, "", usage.trim) if count_others else None

    def find_pods(self, server_id: ServerId) -> list[Json]:
        """Return the pods of a server, by rank. That one is missing is the API server's own word; what they are like may be a
        moment old."""
        name = names.server_name(self._install, server_id)
        known = self._known(name) if self._pods.wait(_FIRST) else None
        if known is not None:
            return known
        found = self._api.list(POD, names.server_selector(self._install, server_id)).items
        return sorted(found, key=names.rank_of)

    def _known(self, name: str) -> list[Json] | None:
        """Return the pods as the copy has them, or None if it lacks any."""
        alone = self._pods.find(name)
        if alone is not None:
            return [alone]
        first = self._pods.find(names.rank_name(name, 0))
        if first is None:
            return None
        pods = [self._pods.find(names.rank_name(name, rank)) for rank in range(names.nodes_of(first))]
        there = [pod for pod in pods if pod is not None]
        return there if len(there) == len(pods) else None

    def note_pod(self, pod: Json) -> None:
        """Take over what the API server answered to a change of ours."""
        self._pods.put(pod)

    def list_pods(self) -> list[Json]:
        """Return all pods of our servers, as the API server has them."""
        return self._api.list(POD, names.selector(self._install, "server")).items

    def nodes(self) -> list[Json]:
        """Return all nodes; those of the API server itself where the copy is old."""
        if self._nodes.wait(_FIRST):
            return self._nodes.all()
        return [_trim_node(node) for node in self._api.list(NODE).items]

    def find_node(self, name: str) -> Json | None:
        """Return a node. That there is none is the API server's own word."""
        known = self._nodes.find(name, "") if self._nodes.wait(_FIRST) else None
        return known if known is not None else self._api.find(NODE, name)

    def usage(self) -> usage.Usage:
        """Return what pods take of the nodes: of all namespaces where we may see them, else of ours alone."""
        if self._all is not None and self._all.wait(_FIRST):
            return usage.count(self._all.all(), self._install)
        return usage.count([usage.trim(pod) for pod in self.list_pods()], self._install)

    def stop(self) -> None:
        """Look no more; the copies grow old, and the API server is asked instead."""
        for mirror in (self._pods, self._nodes, self._all):
            if mirror is not None:
                mirror.stop()

    @property
    def counts_others(self) -> bool:
        """Whether pods of other namespaces are seen."""
        return self._all is not None and self._all.is_fresh


def _trim_pod(pod: Json) -> Json:
    """Keep of a pod what sightings and ends need: its manifest is known, and large."""
    metadata = {name: value for name, value in pod["metadata"].items() if name != "managedFields"}
    return {"metadata": metadata, "spec": {"nodeName": pod["spec"].get("nodeName")}, "status": pod.get("status") or {}}


def _trim_node(node: Json) -> Json:
    """Keep of a node what the catalogue needs: the images it holds are most of its object."""
    metadata = {name: node["metadata"].get(name) for name in ("name", "labels", "resourceVersion")}
    spec, status = node.get("spec") or {}, node.get("status") or {}
    kept = ("allocatable", "capacity", "conditions", "runtimeHandlers")
    return {
        "metadata": metadata,
        "spec": {name: spec[name] for name in ("unschedulable", "taints", "providerID") if name in spec},
        "status": {name: status[name] for name in kept if name in status},
    }
