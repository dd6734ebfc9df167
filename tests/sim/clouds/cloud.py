"""The simulated cloud with a plugin's storage, or more, in the place of its own: the same clock, machines, fate and weather."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from gpudev_sdk.testing.cloud import CloudSnapshot, SimulatedCloud
from gpudev_sdk.testing.cloud.machines import Machines
from tests.sim.clouds.shelf import PluginShelf, Vault
from tests.sim.clouds.wire import Wire

STORAGE = (
    "create_volume", "create_volume_from_snapshot", "get_volume", "list_volumes", "delete_volume", "mount",
    "create_snapshot", "get_snapshot", "list_snapshots", "delete_snapshot",
)  # fmt: skip


class PluginCloud(SimulatedCloud):
    """A world in which disks are what a fake of a real cloud has."""

    def __init__(self, vault: Vault, wire: Wire, *of: Any, **how: Any) -> None:
        super().__init__(*of, **how)
        self.wire = wire
        wire.cloud = self
        self.shelf: PluginShelf = PluginShelf(self, vault, lambda key: self._node_of(key))
        self.machines = Machines(self, self.shelf, self.built)

    def progress(self) -> None:
        """Take over what calls did, let everything happen that is due, and take over what that did."""
        self.shelf.sync()
        super().progress()
        self.shelf.sync()

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
        """What was done to the fake that no plugin may do."""
        return self.shelf.broken

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
                cloud.shelf.sync()
                cloud.wire.bury()

        return cloud.call(name, effect)

    return call
