"""Nodes that are objects only: what is bound to them says it runs, and nothing does. For tests of many nodes and GPUs."""

from __future__ import annotations

import datetime
import threading
import time
import types

import attrs
import httpx2

from tests.cluster.machine import checks, fake_pods
from tests.cluster.machine.api import Api, ApiRefused
from tests.cluster.machine.layout import Layout

#: A quarter of the time after which the controllers think a node lost.
BEAT = 3.0
#: How often bound pods are looked for.
GLANCE = 0.2
PATIENCE = 30.0
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@attrs.frozen(kw_only=True)
class FakeNode:
    """What a fake node says of itself."""

    name: str
    gpus: int = 8
    labels: dict[str, str] = attrs.field(factory=dict)
    cpus: int = 64
    memory: str = "512Gi"
    pods: int = 110

    @property
    def room(self) -> dict[str, str]:
        """Return its capacity."""
        gpus = {"nvidia.com/gpu": str(self.gpus)} if self.gpus else {}
        return {
            "cpu": str(self.cpus),
            "memory": self.memory,
            "pods": str(self.pods),
            "ephemeral-storage": "1Ti",
            **gpus,
        }


class FakeNodes:
    """Some fake nodes, kept alive by a thread; a context, at the end of which they are deleted."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._api = Api(layout)
        self._alive: set[str] = set()
        self._all: set[str] = set()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._beat, self._look)]

    def __enter__(self) -> FakeNodes:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ):
        self._end.set()
        for thread in self._threads:
            thread.join()
        # The controllers would collect the pods of nodes that are gone only after a minute.
        fake_pods.forget(self._api, self._all)
        for name in sorted(self._all):
            self.delete(name)
        self._api.close()

    def add(self, *nodes: FakeNode) -> None:
        """Make nodes, and return when the scheduler may use them."""
        for node in nodes:
            # The label is what affinity of a claim's topology and people's selectors go by.
            labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", **node.labels}
            body = {"metadata": {"name": node.name, "labels": labels}, "spec": {"providerID": f"fake://{node.name}"}}
            self._api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **body})
            self._api.patch(f"/api/v1/nodes/{node.name}/status", {"status": _status(node)})
            # A new node has a taint, which the controllers take away some seconds after they have seen that it is Ready.
            self._api.patch(f"/api/v1/nodes/{node.name}", {"spec": {"taints": None}})
            self._api.create(LEASES, _lease(node.name))
            with self._lock:
                self._all.add(node.name)
                self._alive.add(node.name)
        # They may have put it back meanwhile.
        for node in nodes:
            self._wait_until_ready(node.name)

    def fall_silent(self, name: str) -> None:
        """Let a node give no more sign of life: after 12 s its Ready is Unknown, and its pods are as they were."""
        with self._lock:
            self._alive.discard(name)

    def make_not_ready(self, name: str) -> None:
        """Let a node say now that it is not Ready; its pods go on."""
        self._say(name, "False", "KubeletNotReady")

    def make_ready(self, name: str) -> None:
        """Let a node that fell silent, or was not Ready, be well again."""
        self._renew(name)
        self._say(name, "True", "KubeletReady")
        with self._lock:
            self._alive.add(name)

    def delete(self, name: str) -> None:
        """Delete a node, as a cloud does whose machine is gone; its pods are then collected by the controllers."""
        with self._lock:
            self._alive.discard(name)
            self._all.discard(name)
        self._api.delete(f"/api/v1/nodes/{name}")
        self._api.delete(f"{LEASES}/{name}")

    def _wait_until_ready(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not checks.node_is_ready(self._api, name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the controllers have not seen in {PATIENCE:.0f} s that {name} is ready")
            time.sleep(0.05)

    def _say(self, name: str, ready: str, reason: str) -> None:
        self._api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": _conditions(ready, reason)}})

    def _renew(self, name: str) -> None:
        self._api.patch(f"{LEASES}/{name}", {"spec": {"renewTime": _now()}})

    def _living(self) -> list[str]:
        with self._lock:
            return sorted(self._alive)

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            self._try(lambda: [self._renew(name) for name in self._living()])

    def _look(self) -> None:
        while not self._end.wait(GLANCE):
            self._try(lambda: fake_pods.tend(self._api, set(self._living()), self._layout.node))

    def _try(self, work) -> None:
        try:
            work()
        except (ApiRefused, httpx2.TransportError):
            # The API server restarts in some tests; the next round finds it again.
            return


def pretend_gpus(api: Api, node: str, count: int) -> None:
    """Let a node say that it has GPUs."""
    room = {"nvidia.com/gpu": str(count)}
    api.patch(f"/api/v1/nodes/{node}/status", {"status": {"capacity": room, "allocatable": room}})


def _status(node: FakeNode) -> dict:
    # Of the range for documentation: nobody is reached there.
    address = [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": node.name}]
    conditions = _conditions("True", "KubeletReady")
    version = {"kubeletVersion": "v1.36.2", "operatingSystem": "linux", "architecture": "amd64"}
    return {
        "capacity": node.room,
        "allocatable": node.room,
        "conditions": conditions,
        "addresses": address,
        "nodeInfo": version,
    }


def _conditions(ready: str, reason: str) -> list[dict]:
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"lastHeartbeatTime": stamp, "lastTransitionTime": stamp}
    return [{"type": "Ready", "status": ready, "reason": reason, "message": "a fake node", **times}]


def _lease(name: str) -> dict:
    spec = {"holderIdentity": name, "leaseDurationSeconds": 12, "renewTime": _now()}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
