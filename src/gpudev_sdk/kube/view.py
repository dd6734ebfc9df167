"""What a backend knows of its cluster: copies of pods, nodes, claims and snapshots, and the API server where a copy cannot do.

Compute and storage of one backend share one (`sharing`). What a copy shows may be a moment old; that something is *not* there,
and what lets something be deleted, is the API server's own word.
"""

from __future__ import annotations

import math
import uuid
import weakref

from gpudev_sdk import clock
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.kube import disks, names, usage
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import CLAIM, NODE, POD, POD_ANYWHERE, SNAPSHOT, Json, Kind
from gpudev_sdk.kube.mirror import Mirror
from gpudev_sdk.kube.users import Departures

#: How long the first question waits for a copy to be filled.
_FIRST = 3.0
#: What the API server told so lately is as good as an answer to a question.
JUST_NOW = 1.0
_REMEMBERED = 1024


class View:
    """One install's view of one cluster. Threads may share it; a copy begins with the first question that it can answer."""

    def __init__(self, api: Api, install: uuid.UUID, *, count_others: bool) -> None:
        self.api, self._install = api, install
        self._departures = Departures()
        # Whoever's they are: any of them may use a claim.
        self._pods = Mirror(api, POD, "", _trim_pod, tell=self._departures.take)
        self._nodes = Mirror(api, NODE, "", _trim_node)
        self._all = Mirror(api, POD_ANYWHERE, "", usage.trim) if count_others else None
        self._kept = {
            CLAIM: Mirror(api, CLAIM, names.selector(install, "disk")),
            SNAPSHOT: Mirror(api, SNAPSHOT, names.selector(install, "snapshot")),
        }
        self._gone: dict[ServerId, float] = {}
        looking = [self._pods, self._nodes, *([self._all] if self._all else []), *self._kept.values()]
        #: Ends the copies; by itself when nobody has the view any more.
        self._end = weakref.finalize(self, _stop, looking)

    def find_pods(self, server_id: ServerId) -> list[Json]:
        """Return the pods of a server, by rank. That one is missing is the API server's own word; what they are like may be a
        moment old."""
        name = names.server_name(self._install, server_id)
        known = self._known(name) if self._pods.wait(_FIRST) else None
        if known is not None:
            return known
        if clock.monotonic() - self._gone.pop(server_id, -math.inf) < JUST_NOW:
            return []
        found = self.api.list(POD, names.server_selector(self._install, server_id)).items
        return sorted(found, key=names.rank_of)

    def note_gone(self, server_id: ServerId, pods: list[Json]) -> None:
        """Take over that the API server removed the last pods of a server that was ended. It is told on once, within a moment."""
        for pod in pods:
            self._pods.drop(pod)
        if len(self._gone) >= _REMEMBERED:
            self._gone.clear()
        self._gone[server_id] = clock.monotonic()

    def _known(self, name: str) -> list[Json] | None:
        """Return the pods as the copy has them, or None if it lacks any."""
        alone = self._ours(name)
        if alone is not None:
            return [alone]
        first = self._ours(names.rank_name(name, 0))
        if first is None:
            return None
        pods = [self._ours(names.rank_name(name, rank)) for rank in range(names.nodes_of(first))]
        there = [pod for pod in pods if pod is not None]
        return there if len(there) == len(pods) else None

    def _ours(self, name: str) -> Json | None:
        found = self._pods.find(name)
        return found if found is not None and names.is_ours(found, self._install) else None

    def note_pod(self, pod: Json) -> None:
        """Take over what the API server answered to a change of ours."""
        self._pods.put(pod)

    def list_pods(self) -> list[Json]:
        """Return all pods of our servers, as the API server has them."""
        return self.api.list(POD, names.selector(self._install, "server")).items

    def find_kept(self, kind: Kind, name: str) -> Json | None:
        """Return a claim or a snapshot of ours. That there is none is the API server's own word; what it is like may be a moment
        old."""
        copy = self._kept[kind]
        known = copy.find(name) if copy.wait(_FIRST) else None
        return known if known is not None else self.ask_kept(kind, name)

    def is_news(self, kind: Kind, name: str) -> bool:
        """Say whether the copy of a claim or a snapshot came from the API server within the last second."""
        return self._kept[kind].age(name) < JUST_NOW

    def ask_kept(self, kind: Kind, name: str) -> Json | None:
        """Return a claim or a snapshot of ours as the API server has it. One of that name which is not ours is none of our
        business."""
        found = self.api.find(kind, name)
        return found if found is not None and names.is_ours(found, self._install) else None

    def note_kept(self, kind: Kind, item: Json) -> None:
        """Take over what the API server answered when a claim or a snapshot was made."""
        self._kept[kind].put(item)

    def users_of(self, claim: Json) -> tuple[str, ...]:
        """Return the pods that may use a claim. That there are none is the API server's own word, unless nothing can have it yet,
        or the copy itself saw the last one go a moment ago: what ran had the disk until then, and nobody else had."""
        name = claim["metadata"]["name"]
        if self._pods.wait(_FIRST):
            known = disks.users_of(name, self._pods.all())
            if known or disks.is_unbound(claim) or self._departures.saw_last_of(name):
                return known
        return self.ask_users_of(name)

    def ask_users_of(self, claim: str) -> tuple[str, ...]:
        """Return the pods that may use a claim, as the API server has them."""
        return disks.users_of(claim, self.api.list(POD).items)

    def nodes(self) -> list[Json]:
        """Return all nodes; those of the API server itself where the copy is old."""
        if self._nodes.wait(_FIRST):
            return self._nodes.all()
        return [_trim_node(node) for node in self.api.list(NODE).items]

    def find_node(self, name: str) -> Json | None:
        """Return a node. That there is none is the API server's own word."""
        known = self._nodes.find(name, "") if self._nodes.wait(_FIRST) else None
        return known if known is not None else self.api.find(NODE, name)

    def usage(self) -> usage.Usage:
        """Return what pods take of the nodes: of all namespaces where we may see them, else of ours alone."""
        if self._all is not None and self._all.wait(_FIRST):
            return usage.count(self._all.all(), self._install)
        return usage.count([usage.trim(pod) for pod in self.list_pods()], self._install)

    def stop(self) -> None:
        """Look no more; the copies grow old, and the API server is asked instead."""
        self._end()

    @property
    def counts_others(self) -> bool:
        """Whether pods of other namespaces are seen."""
        return self._all is not None and self._all.is_fresh


def _stop(looking: list[Mirror]) -> None:
    for mirror in looking:
        mirror.stop()


def _trim_pod(pod: Json) -> Json:
    """Keep of a pod what sightings and ends need, and its claims: its manifest is known, and large."""
    metadata = {name: value for name, value in pod["metadata"].items() if name != "managedFields"}
    spec = {"nodeName": pod["spec"].get("nodeName")}
    held = [{"persistentVolumeClaim": {"claimName": name}} for name in disks.claims_of(pod)]
    return {
        "metadata": metadata,
        "spec": spec | {"volumes": held} if held else spec,
        "status": pod.get("status") or {},
    }


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
