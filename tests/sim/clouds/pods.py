"""Boxes that are pods: what is in a fake API server is what runs, and its nodes do to it what time and fate do to machines.

A kubelet, a scheduler and a node controller in one. They see new and ending pods when a call is over, and write what became of
them, as the real ones do: a box that is killed leaves a failed pod, one that is asked to end a finished one without grace, and
one whose node is gone a pod that garbage collection marked.
"""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.domain.server import Phase, ServerId, ServerSpec
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.kube import names
from gpudev_sdk.testing.cloud.truth import CloudServer
from tests.sim.clouds.gangs import PodGang
from tests.sim.clouds.machines import PodMachines
from tests.sim.clouds.shelf import Drive
from tests.unit.kube.fake_api import NAMESPACE
from tests.unit.kube.fake_store import Json, Store
from tests.unit.kube.fake_store import Key as ObjectKey

Key = tuple[uuid.UUID, ServerId]
#: How long a pod without a place waits before the scheduler tries again.
AGAIN = dt.timedelta(seconds=10)


@attrs.define
class Pod:
    """A pod that a node has, or may get."""

    key: ObjectKey
    server: Key
    spec: ServerSpec
    #: Its place in a gang, and how many there are.
    rank: int = 0
    ranks: int = 1
    placed: bool = False
    #: When the scheduler looks at it again, if there was no room.
    again: dt.datetime | None = None
    #: Asked to end, as far as the node knows.
    ending: bool = False
    #: What was last written of it.
    told: str = ""


class Kubelet:
    """All of them, over the machines of a simulated cloud."""

    def __init__(self, store: Store, machines: PodMachines, find_drive: Callable[[str], Drive | None]) -> None:
        self._store, self._machines, self._find_drive = store, machines, find_drive
        self._pods: dict[str, Pod] = {}
        self._manifests: dict[tuple[Key, int], Json] = {}
        self.broken: list[str] = []

    def look(self) -> None:
        """See what pods are new, are to end, or are gone."""
        there = {item["metadata"]["uid"]: key for key, item in self._store.objects.items() if key[0] == "pods"}
        for uid in [uid for uid in self._pods if uid not in there]:
            self._lost_sight(self._pods.pop(uid))
        for uid, key in there.items():
            item = self._store.objects[key]
            if uid not in self._pods and (pod := self._read(key, item)) is not None:
                self._pods[uid] = pod
            if uid in self._pods:
                self._advance(self._pods[uid], item)

    def tell(self) -> None:
        """Write what became of them."""
        for pod in list(self._pods.values()):
            if pod.placed and pod.key in self._store.objects:
                self._write(pod, self._machines.servers.find(pod.server))

    def slip(self, server_id: ServerId) -> bool:
        """Let the pods of an attempt that is over be made after all, with a throw-away home; return whether any could."""
        late = [manifest for (key, _), manifest in self._manifests.items() if key[1] == server_id]
        wanted = {("pods", NAMESPACE, manifest["metadata"]["name"]): manifest for manifest in late}
        missing = [where for where in wanted if where not in self._store.objects]
        for where in missing:
            self._store.create(where, copy.deepcopy(wanted[where]))
        return bool(missing)

    def _read(self, key: ObjectKey, item: Json) -> Pod | None:
        """Return what a pod asks for."""
        server_id = names.server_of(item)
        if server_id is None or "deletionTimestamp" in item["metadata"]:
            return None
        labels, notes = item["metadata"]["labels"], item["metadata"]["annotations"]
        install = uuid.UUID(labels[names.INSTALL])
        terms = item["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        box = item["spec"]["containers"][0]["resources"].get("requests", {})
        spec = ServerSpec(
            server_id=server_id, name=notes[names.NAME], owner_number=0, owner=notes[names.OWNER],
            node=terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0], gpu_type=labels[names.GPU_TYPE],
            slots=tuple(int(word) for word in notes[names.SLOTS].split(",") if word),
            gpus=int(box.get("nvidia.com/gpu", 0)), mount=self._mount(item),
        )  # fmt: skip
        pod = Pod(key, (install, server_id), spec, names.rank_of(item), names.nodes_of(item))
        self._remember(pod, item)
        return pod

    def _mount(self, item: Json) -> Mount | None:
        """Return the disk that a pod has: its claim names a volume, and that what the cloud calls it."""
        home = next(each for each in item["spec"]["volumes"] if each["name"] == "home")
        if "persistentVolumeClaim" not in home:
            return None
        claim = self._store.objects[("persistentvolumeclaims", NAMESPACE, home["persistentVolumeClaim"]["claimName"])]
        volume = self._store.objects[("persistentvolumes", "", claim["spec"]["volumeName"])]
        source = volume["spec"]["csi"]["volumeHandle"]
        drive = self._find_drive(source)
        if drive is None:
            self.broken.append(f"a pod was made for a volume that is not there: {source}")
            return None
        return Mount(volume_id=drive.volume_id, disk_id=drive.disk_id, kind=MountKind.CSI, source=source)

    def _remember(self, pod: Pod, item: Json) -> None:
        """Keep a pod as it was asked for, with a throw-away home: whoever comes late finds another's disk there by now."""
        manifest = copy.deepcopy(item)
        kept = {name: manifest["metadata"][name] for name in ("name", "labels", "annotations", "finalizers")}
        kept["annotations"].pop(names.STATIC, None)
        volumes = [{"name": "home", "emptyDir": {}} if v["name"] == "home" else v for v in manifest["spec"]["volumes"]]
        spec = {name: part for name, part in manifest["spec"].items() if name != "nodeName"} | {"volumes": volumes}
        self._manifests[pod.server, pod.rank] = {name: item[name] for name in ("apiVersion", "kind")} | {
            "metadata": kept,
            "spec": spec,
        }

    def _advance(self, pod: Pod, item: Json) -> None:
        leaving = "deletionTimestamp" in item["metadata"]
        if not pod.placed and not leaving:
            if pod.again is None or pod.again <= self._machines.now:
                self._place(pod)
        elif leaving and not pod.ending:
            pod.ending = True
            self._machines.end(pod.server, pod.rank)

    def _place(self, pod: Pod) -> None:
        """Bind a pod to its node, or leave it to wait for room."""
        try:
            self._machines.start(pod.server, pod.spec, pod.rank, pod.ranks)
        except (NoCapacity, Unworkable) as refusal:
            why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": refusal.message}
            pod.again = self._machines.now + AGAIN
            if pod.told != refusal.message:
                pod.told = refusal.message
                moment = self._store.objects[pod.key]["metadata"]["creationTimestamp"]
                self._store.change(pod.key, status={"conditions": [why | {"lastTransitionTime": moment}]})
        else:
            pod.placed = True
            self._store.change(pod.key, spec={"nodeName": pod.spec.node}, status={"conditions": []})

    def _lost_sight(self, pod: Pod) -> None:
        """A pod's object is gone: what had ended by then, or never began, is gone with it."""
        if pod.placed and self._machines.servers.find(pod.server) is not None:
            if self._machines.runs(pod.server, pod.rank):
                self.broken.append(f"the pod {pod.key[2]} was taken away while it ran")
            self._machines.end(pod.server, pod.rank)

    def _write(self, pod: Pod, server: CloudServer | None) -> None:
        became = _became(server, pod.rank)
        told = became if server is None or became == "gone" else f"{became} {server.since} {server.reason}"
        if told == pod.told:
            return
        pod.told = told
        if server is None or became == "gone":
            self._end(pod)
        elif became == "failed":
            ended = {"name": "box", "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}
            why = server.dead[pod.rank] if isinstance(server, PodGang) else server.reason
            self._store.change(pod.key, status={"phase": "Failed", "reason": why, "containerStatuses": [ended]})
        else:
            self._store.change(pod.key, status=_going(server, up=became == "up"))

    def _end(self, pod: Pod) -> None:
        """Say that nothing of a pod runs any more: it ended as it was asked to, or went with its node."""
        phase = self._store.objects[pod.key]["status"]["phase"]
        if phase not in ("Failed", "Succeeded"):
            ended = {"name": "box", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
            status: dict[str, Any] = {"phase": "Succeeded", "containerStatuses": [ended]}
            if not pod.ending:
                mark = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}
                status = {"phase": "Failed", "conditions": [mark | {"message": "PodGC: node no longer exists"}]}
            self._store.change(pod.key, status=status)
        pod.ending = True
        if pod.key in self._store.objects:
            self._store.delete(pod.key, grace=0)


def _became(server: CloudServer | None, rank: int) -> str:
    """Return what became of a pod that was placed."""
    if server is None:
        return "gone"
    if isinstance(server, PodGang):
        if rank in server.down or not server.spec.peers[rank].node:
            return "gone"
        return "failed" if rank in server.dead else "up" if rank in server.up else "starting"
    return {Phase.FINISHED: "failed", Phase.STARTING: "starting"}.get(server.phase, "up")


def _going(server: CloudServer, *, up: bool) -> Json:
    began = server.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    if not up:
        return {"phase": "Pending", "startTime": began}
    box = {"name": "box", "state": {"running": {"startedAt": began}}, "started": True, "restartCount": 0}
    return {"phase": "Running", "podIP": "10.1.0.7", "startTime": began, "containerStatuses": [box]}
