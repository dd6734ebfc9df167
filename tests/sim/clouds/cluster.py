"""A cluster of a simulation: the fake API server, its nodes as they are, and no time but the virtual one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpudev_sdk.kube import catalogue, compute, names, view
from gpudev_sdk.kube.settings import TypeSettings
from gpudev_sdk.testing.cloud import CloudNode
from tests.sim.clouds.copies import Feed
from tests.sim.clouds.pods import Kubelet
from tests.sim.clouds.wire import Wire
from tests.unit.kube import fake_store
from tests.unit.kube.fake_api import NAMESPACE, Call, FakeApi
from tests.unit.kube.fake_store import Json

if TYPE_CHECKING:
    from tests.sim.clouds.cloud import PluginCloud

GPU = "nvidia.com/gpu"
#: What may stay when all is over: tombstones for an hour, who controls the place, and the fences around boxes.
_STAYS = ("end", "claim")


class Cluster:
    """The API server, the nodes, and who works on them."""

    def __init__(self, cloud: PluginCloud, wire: Wire) -> None:
        self._cloud, self._wire = cloud, wire
        self._fake = FakeApi(trouble=self._trouble)
        self.api = self._fake.api()
        self.feed = Feed(self._fake.store, cloud)
        self.kubelet = Kubelet(self._fake.store, cloud.machines, cloud.find_drive)
        #: What the cloud calls the machines behind nodes.
        self.provider_ids: dict[str, str] = {}
        places = min(node.slots["cpu"] for node in cloud.built)
        self.types = {"h100": TypeSettings(), "cpu": TypeSettings(resource="", slots_per_node=places)}
        self._shown: dict[str, tuple[object, ...]] = {}

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Have no time but the virtual one."""
        clock = self._cloud.clock
        patch.setattr(view, "Mirror", self.feed.copy)
        patch.setattr(compute, "_now", lambda: clock.now)
        patch.setattr(fake_store, "now", lambda: clock.now.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def settle(self) -> None:
        """Have nodes take up what was asked for, and write what became of it."""
        self.kubelet.look()
        for node in self._cloud.machines.nodes.values():
            self._show(node)
        self.kubelet.tell()

    def left(self) -> list[str]:
        """Return what is in the namespace and is of no use any more."""
        return [
            f"{kind}/{name}"
            for (kind, space, name), item in sorted(self._fake.store.objects.items())
            if space == NAMESPACE
            and kind != "networkpolicies"
            and (item["metadata"].get("labels") or {}).get(names.PART) not in _STAYS
        ] + [f"{kind}/{name}" for kind, _, name in self._fake.store.objects if kind == "persistentvolumes"]

    def close(self) -> None:
        """Serve nobody any more."""
        self._fake.close()

    def _show(self, node: CloudNode) -> None:
        """Let a node's object be as the node is."""
        removed = node.name in self._cloud.machines.removed
        silent = node.lost or self._cloud.is_blind
        now = (node.slots["h100"], node.schedulable, silent, removed)
        if self._shown.get(node.name) == now:
            return
        self._shown[node.name] = now
        key, store = ("nodes", "", node.name), self._fake.store
        if removed:
            if key in store.objects:
                store.remove(key)
        elif key not in store.objects:
            store.create(key, self._object(node, silent=silent))
        else:
            made = self._object(node, silent=silent)
            store.change(key, spec=made["spec"], status=made["status"])

    def _object(self, node: CloudNode, *, silent: bool) -> Json:
        amounts = {"cpu": "128", "memory": "1000Gi"}
        ready = {"type": "Ready", "status": "Unknown" if silent else "True", "message": "it does not report"}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node.name, "labels": {catalogue.ZONE: node.zone}},
            "spec": {
                "unschedulable": not node.schedulable and not node.lost,
                "providerID": self.provider_ids.get(node.name, node.name),
            },
            "status": {
                "capacity": amounts | {GPU: "8"},
                "allocatable": amounts | {GPU: str(node.slots["h100"])},
                "conditions": [ready],
            },
        }

    def _trouble(self, call: Call) -> str | None:
        what = self._wire.strike()
        return "429" if what == "refuse" else what
