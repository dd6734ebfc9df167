"""The simulated cloud over the fakes of a real one: its clock, fate and weather, with what plugins made as the truth."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.testing.cloud import CloudSnapshot, SimulatedCloud
from tests.sim.clouds.cluster import Cluster
from tests.sim.clouds.machines import PodMachines
from tests.sim.clouds.shelf import Drive, PluginShelf, Vault
from tests.sim.clouds.wire import Wire

STORAGE = (
    "create_volume", "create_volume_from_snapshot", "get_volume", "list_volumes", "delete_volume", "mount",
    "create_snapshot", "get_snapshot", "list_snapshots", "delete_snapshot",
)  # fmt: skip

COMPUTE = (
    "gpu_types", "get_availability_zones", "list_instances", "get_instance", "nodes", "launch", "observe", "configure",
    "terminate", "list_servers", "read_claim", "write_claim",
)  # fmt: skip


class PluginCloud(SimulatedCloud):
    """A world in which disks are what the fake of a cloud's API has, and boxes are what a fake API server of Kubernetes has."""

    def __init__(self, vault: Vault, wire: Wire, *of: Any, **how: Any) -> None:
        super().__init__(*of, **how)
        self.wire = wire
        self.shelf: PluginShelf = PluginShelf(self, vault, lambda key: self._node_of(key))
        self.machines: PodMachines = PodMachines(self, self.shelf, self.built)
        self.cluster = Cluster(self, wire)
        wire.cloud = self

    def progress(self) -> None:
        """Take over what calls did, let everything happen that is due, and take over what that did."""
        self.settle()
        super().progress()
        self.settle()

    def settle(self) -> None:
        """Have the truth be what the fakes have, and the fakes say what is true."""
        self.shelf.sync()
        self.cluster.settle()

    def slip(self, server_id: ServerId) -> bool:
        """Let a pod of an attempt that is over be made after all; return whether it could."""
        self.progress()
        return self.cluster.kubelet.slip(server_id)

    def find_drive(self, source: str) -> Drive | None:
        """Return the volume that a pod's volume names, by the driver's name for it."""
        return self.shelf.find_drive(source)

    def copy_foreign(self, snapshot_id: uuid.UUID) -> CloudSnapshot:
        """Let somebody else have a copy of a snapshot, with its tags."""
        self.progress()
        return self.shelf.copy_foreign(snapshot_id)

    def lose_snapshot(self, snapshot_id: uuid.UUID) -> None:
        """Let somebody else delete a snapshot of ours; no deletion is recorded."""
        self.progress()
        self.shelf.lose(snapshot_id)

    @property
    def broken(self) -> list[str]:
        """What was done to the fakes that no plugin may do."""
        return self.shelf.broken + self.cluster.kubelet.broken

    def _node_of(self, key: Any) -> str:
        server = self.machines.servers.find(key)
        assert server is not None  # who gets a volume is there
        return server.node


def under(cloud: PluginCloud, kind: str, calls: tuple[str, ...], plugin: type, **more: Any) -> type:
    """Return a provider whose calls pass through the weather of a cloud, as those of the simulated one do."""
    gates = {name: _gate(cloud, f"{kind}.{name}", getattr(plugin, name)) for name in calls}
    return type(plugin.__name__, (plugin,), gates | more)


def _gate(cloud: PluginCloud, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *of: Any) -> Any:
        def effect() -> Any:
            try:
                return method(self, *of)
            finally:
                # What was begun is begun now, whoever runs next.
                cloud.settle()
                cloud.wire.bury()

        return cloud.call(name, effect)

    return call
