"""The simulated cloud: what is true, what god may do to it, and what a checker reads.

```python
clock = VirtualClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
cloud = SimulatedCloud(clock, random.Random(7), Weather.slow())
compute = SimulatedCompute(SimulatedSettings(cloud=cloud), context)
```

It runs in one thread, never sleeps, and asks no clock and no chance but those it is given: the same seed and the same calls
give the same answers.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid

from gpudev_sdk.domain.server import Claim, ServerId
from gpudev_sdk.errors import Conflict
from gpudev_sdk.testing.cloud.clock import VirtualClock
from gpudev_sdk.testing.cloud.machines import Machines
from gpudev_sdk.testing.cloud.shelf import Shelf
from gpudev_sdk.testing.cloud.sky import Sky
from gpudev_sdk.testing.cloud.truth import (
    CloudNode,
    CloudServer,
    CloudSnapshot,
    CloudVolume,
    Deletion,
    DoubleAttachment,
    MountSeen,
    Overbooking,
    SnapshotDeletion,
)
from gpudev_sdk.testing.cloud.weather import Weather

NODES = (
    CloudNode(name="node-a", zone="zone-a", slots={"h100": 8, "cpu": 4}),
    CloudNode(name="node-b", zone="zone-b", slots={"h100": 8, "cpu": 4}),
)


class SimulatedCloud(Sky):
    """Nodes, servers, volumes and snapshots that behave like real ones, in the weather there is."""

    def __init__(
        self,
        clock: VirtualClock,
        rng: random.Random,
        weather: Weather | None = None,
        nodes: tuple[CloudNode, ...] = NODES,
    ) -> None:
        super().__init__(clock, rng, weather or Weather.calm())
        #: The nodes as they were built: the catalogue and the zones stay when capacity goes.
        self.built = nodes
        self.shelf = Shelf(self)
        self.machines = Machines(self, self.shelf, nodes)
        self.claim: Claim | None = None
        #: Who can log in, with the word that only they know.
        self.people: dict[str, str] = {}

    def servers(self) -> tuple[CloudServer, ...]:
        """Return every server that is there, of all installs, as is true now."""
        self.progress()
        return self.machines.servers.all()

    def volumes(self) -> tuple[CloudVolume, ...]:
        """Return every volume, as is true now."""
        self.progress()
        return self.shelf.volumes.all()

    def snapshots(self) -> tuple[CloudSnapshot, ...]:
        """Return every snapshot, foreign copies too, as is true now."""
        self.progress()
        return self.shelf.snapshots.all()

    def nodes(self) -> tuple[CloudNode, ...]:
        """Return every node, as is true now."""
        self.progress()
        return tuple(self.machines.nodes.values())

    @property
    def deletions(self) -> list[Deletion]:
        """Every volume that was deleted, with what was lost or saved."""
        return self.shelf.deletions

    @property
    def snapshot_deletions(self) -> list[SnapshotDeletion]:
        """Every snapshot that was deleted."""
        return self.shelf.snapshot_deletions

    @property
    def mounts(self) -> list[MountSeen]:
        """Every boot with a disk, and the content it found."""
        self.progress()
        return self.machines.mounts

    @property
    def double_attachments(self) -> list[DoubleAttachment]:
        """Every server that was started with a volume another one had."""
        self.progress()
        return self.machines.double_attachments

    @property
    def overbookings(self) -> list[Overbooking]:
        """Every server that was started on slots another one had."""
        return self.machines.overbookings

    def write(self, server_id: ServerId, marker: str) -> None:
        """Write a marker on the disk of a running server, as a person does: when this returns, it is synced.

        Raises Conflict where nobody can write: no such server, not running, or a throw-away home.
        """
        self.progress()
        for server in self.machines.servers.all():
            if server.server_id == server_id and server.running and server.volume_id is not None:
                self.shelf.write(server.install_id, server.volume_id, marker)
                return
        raise Conflict(f"nobody can write in {server_id}")

    def kill_server(self, server_id: ServerId, reason: str = "killed") -> None:
        """Let a server end by itself; its traces stay."""
        self.progress()
        self.machines.die(server_id, reason)

    def slip(self, server_id: ServerId) -> bool:
        """Let a launch that was told off by a tombstone take effect late all the same; return False where it could not."""
        self.progress()
        return self.machines.slip(server_id)

    def evict(self, server_id: ServerId) -> None:
        """Let a server be ended by its node."""
        self.progress()
        self.machines.die(server_id, "evicted: the node was low on memory")

    def cordon(self, name: str, reason: str = "cordoned") -> None:
        """Let nothing start on a node any more."""
        self.progress()
        self.machines.cordon(name, reason)

    def lose_node(self, name: str) -> None:
        """Let a node and all on it be gone at once; volumes are let go only after a while."""
        self.progress()
        self.machines.lose(name)

    def restore_node(self, name: str) -> None:
        """Let a node that was cordoned, lost or shrunk be as it was built."""
        self.progress()
        self.machines.restore(name)

    def reboot_node(self, name: str) -> None:
        """Restart a node under its servers."""
        self.progress()
        self.machines.reboot(name)

    def shrink(self, name: str, gpu_type: str, gone: int) -> None:
        """Take the last `gone` slots of a type from a node."""
        self.progress()
        self.machines.shrink(name, gpu_type, gone)

    def copy_foreign(self, snapshot_id: uuid.UUID) -> CloudSnapshot:
        """Let somebody else have a completed copy of a snapshot, with its tags and other content."""
        self.progress()
        return self.shelf.copy_foreign(snapshot_id)

    def lose_snapshot(self, snapshot_id: uuid.UUID) -> None:
        """Let somebody else delete a snapshot of ours; no deletion is recorded."""
        self.progress()
        for snapshot in self.shelf.snapshots.all():
            if snapshot.snapshot_id == snapshot_id and not snapshot.foreign:
                self.shelf.snapshots.drop(snapshot.handle, self.clock.now)

    def advance(self, by: dt.timedelta) -> None:
        """Let time pass, and everything happen that is due."""
        self.clock.advance(by)
        self.progress()
