"""GCP as a place of the simulation: the plugin over the fake Compute API, whose dictionaries are the truth.

The fake's own operations end after some looks; here they end when their time has come.
"""

from __future__ import annotations

import datetime as dt
import time
import types
import uuid
from typing import Any

import pytest
from google.api_core.retry import retry_unary
from google.cloud import compute_v1

from gpudev_gcp import buckets, marks
from gpudev_gcp.compute import GcpCompute
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.cloud.clock import VirtualClock
from tests.contract.gcp.fake_compute import Call, FakeCompute
from tests.contract.gcp.fake_compute_world import PROJECT, Answer, Json, World
from tests.sim.clouds.cloud import COMPUTE, STORAGE, PluginCloud, under
from tests.sim.clouds.shelf import Drive, Shot
from tests.sim.clouds.wire import Wire

#: Fast enough that no call waits for its turn.
FAST = 1000.0
assert compute_v1  # loaded before anything is timed


class SlowWorld(World):
    """A project in which what is made takes as long as the simulation says, and what is deleted is gone at once."""

    clock: VirtualClock

    def look(self) -> None:
        """Let deletions end; the rest waits for its time."""
        for name in [name for name in self._ends if self.operations[name]["operationType"] == "delete"]:
            self._end(name)

    def let_end(self, number: str, *, bad: bool = False) -> None:
        """Let what makes a thing end, well or not."""
        for name in [name for name in self._ends if self.operations[name]["targetId"] == number]:
            self._end(name)
        if bad:
            next(each for each in self.snapshots.values() if each["id"] == number)["status"] = "FAILED"

    def _end(self, name: str) -> None:
        _, end = self._ends.pop(name)
        end()
        self.operations[name] |= {"status": "DONE", "progress": 100, "endTime": self._now()}

    def _now(self) -> str:
        return self.clock.now.isoformat(timespec="milliseconds")


class Vault:
    """What the fake has. Handles are Google's own numbers."""

    def __init__(self, world: SlowWorld) -> None:
        self._world = world
        self._copies: set[str] = set()

    def drives(self) -> list[str]:
        return [each["id"] for each in self._world.disks.values() if each["status"] != "DELETING"]

    def shots(self) -> list[str]:
        found = self._world.snapshots.values()
        return [each["id"] for each in found if each["status"] != "DELETING" and each["id"] not in self._copies]

    def drive(self, handle: str) -> Drive:
        disk = self._disk(handle)
        ours = disk["labels"]
        return Drive(
            handle=handle, install_id=uuid.UUID(ours[marks.INSTALL]), volume_id=uuid.UUID(ours[marks.VOLUME]),
            disk_id=uuid.UUID(ours[marks.DISK]), zone=disk["zone"].rpartition("/")[2], made_of=disk.get("sourceSnapshotId"),
        )  # fmt: skip

    def shot(self, handle: str, at: dt.datetime) -> Shot:
        snapshot = self._snapshot(handle)
        ours = snapshot["labels"]
        return Shot(
            handle=handle, install_id=uuid.UUID(ours[marks.INSTALL]), snapshot_id=uuid.UUID(ours[marks.SNAPSHOT]),
            volume_id=uuid.UUID(ours[marks.VOLUME]), disk_id=uuid.UUID(ours[marks.DISK]), source=snapshot["sourceDiskId"],
        )  # fmt: skip

    def make_ready(self, handle: str) -> None:
        self._world.let_end(handle)

    def attach(self, handle: str, node: str) -> None:
        disk = self._disk(handle)
        disk["users"] = [disk["selfLink"].rpartition("/disks/")[0] + f"/instances/{node}"]

    def detach(self, handle: str) -> None:
        self._disk(handle)["users"] = []

    def end_shot(self, handle: str, *, bad: bool) -> None:
        self._world.let_end(handle, bad=bad)

    def copy(self, handle: str) -> None:
        """Let a schedule take a snapshot of another disk, which has the labels of ours."""
        number = f"9{len(self._copies)}"
        self._copies.add(number)
        self._world.snapshots[f"copy-{number}"] = self._snapshot(handle) | {
            "id": number, "name": f"copy-{number}", "status": "READY", "sourceDiskId": "1",
        }  # fmt: skip

    def named(self, source: str) -> str | None:
        zone, _, name = source.partition("/zones/")[2].partition("/disks/")
        return self._world.disks[zone, name]["id"] if (zone, name) in self._world.disks else None

    def drop_shot(self, handle: str) -> None:
        self._world.snapshots.pop(self._snapshot(handle)["name"])

    def _disk(self, handle: str) -> Json:
        return next(each for each in self._world.disks.values() if each["id"] == handle)

    def _snapshot(self, handle: str) -> Json:
        return next(each for each in self._world.snapshots.values() if each["id"] == handle)


class Gcp:
    """The place."""

    def __init__(self, sim: Any) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(buckets, "_buckets", {})
        # What Google's library waits before it tries again is no virtual time, and changes nothing.
        idle = types.SimpleNamespace(sleep=lambda seconds: None, monotonic=time.monotonic)
        self._patch.setattr(retry_unary, "time", idle)
        world = SlowWorld()
        world.clock = sim.clock
        for node in sim.knobs.nodes:
            world.add_instance(node.name, node.zone)
        self._wire = Wire()
        self._fake = FakeCompute(world=world, trouble=self._trouble)
        vault = Vault(world)
        self.cloud = PluginCloud(vault, self._wire, sim.clock, sim.cloud_rng, sim.knobs.weather, nodes=sim.knobs.nodes)
        cluster = self.cloud.cluster
        cluster.patch(self._patch)
        cluster.provider_ids = {node.name: f"gce://{PROJECT}/{node.zone}/{node.name}" for node in sim.knobs.nodes}
        self._storage = under(self.cloud, "storage", STORAGE, GcpStorage, keep_volumes=sim.knobs.keep_volumes)
        self._compute = under(self.cloud, "compute", COMPUTE, GcpCompute, connect=lambda compute: cluster.api)
        settings = GcpSettings(
            project=PROJECT,
            endpoint=self._fake.url,
            calls_per_second=FAST,
            types=cluster.types,
            deleted_nodes_are_off=True,
        )
        self._session = Session(settings)

    @property
    def broken(self) -> list[str]:
        """What was done to the project that no plugin may do."""
        return self.cloud.broken

    def backend(self, context: Context) -> Backend:
        """Return the backend as a process has it that just started; the way to Google is one for all, as it remembers nothing."""
        of = self._session.settings, context, self._session
        return Backend(name="sim", compute=self._compute(*of), storage=self._storage(*of))

    def left(self) -> list[str]:
        """Return what is left in the cluster."""
        return self.cloud.cluster.left()

    def close(self) -> None:
        """Let go of everything."""
        self._session.close()
        self._fake.close()
        self.cloud.cluster.close()
        self._patch.undo()

    def _trouble(self, call: Call) -> str | Answer | None:
        what = self._wire.strike()
        return Answer(403, "rateLimitExceeded", "Rate Limit Exceeded") if what == "refuse" else what
