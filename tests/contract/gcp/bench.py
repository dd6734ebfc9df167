"""A backend on the fake Compute API, with what a test needs around it."""

from __future__ import annotations

import contextlib
import pathlib
import uuid

import attrs

from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.domain.disk import SnapshotSpec, VolumeRef, VolumeSpec
from gpudev_sdk.providers import Context
from tests.contract.gcp.fake_compute import FakeCompute
from tests.contract.gcp.fake_compute_world import PROJECT, ZONES, Json

NODE, FAR_NODE = "node-a", "node-b"
#: Fast enough that no test waits for its turn.
FAST = 1000.0


@attrs.define
class Bench:
    """A project with a machine in each zone, and storage on it."""

    fake: FakeCompute
    context: Context = attrs.field(
        factory=lambda: Context(install_id=uuid.uuid4(), name="lab", data_folder=pathlib.Path("none"))
    )
    _sessions: list[Session] = attrs.field(factory=list)
    storage: GcpStorage = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        for name, zone in zip((NODE, FAR_NODE), ZONES, strict=True):
            self.fake.world.add_instance(name, zone)
        self.storage = self.again()

    def settings(self, **changes) -> GcpSettings:
        """Return settings of the fake."""
        return GcpSettings(**({"project": PROJECT, "endpoint": self.fake.url, "calls_per_second": FAST} | changes))

    def session(self, credentials=None, **changes) -> Session:
        """Return a session, closed when the bench is."""
        made = Session(self.settings(**changes), credentials)
        self._sessions.append(made)
        return made

    def again(self, context: Context | None = None, credentials=None, **changes) -> GcpStorage:
        """Build the storage as a process has it that just started."""
        session = self.session(credentials, **changes)
        return GcpStorage(session.settings, context or self.context, session)

    def close(self) -> None:
        """Let go of connections."""
        for session in self._sessions:
            session.close()

    def spec(self, **changes) -> VolumeSpec:
        """Return a small volume."""
        common = {"volume_id": uuid.uuid4(), "disk_id": uuid.uuid4(), "owner_number": 1, "size_bytes": 2**30}
        return VolumeSpec(**(common | {"node": NODE} | changes))

    def made(self, **changes) -> VolumeRef:
        """Make a volume and let its operation end."""
        spec = self.spec(**changes)
        handle = self.storage.create_volume(spec)
        self.settle()
        return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=handle)

    def taken(self, volume: VolumeRef) -> SnapshotSpec:
        """Take a snapshot and let its operation end."""
        spec = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
        self.storage.create_snapshot(spec)
        self.settle()
        return spec

    def settle(self) -> None:
        """Let all operations end."""
        for _ in range(self.fake.world.looks):
            self.fake.world.look()

    def disk(self, source: str | None = None) -> Json:
        """Return the one disk there is, or the one of a mount's source."""
        disks = self.fake.world.disks
        if source is None:
            (only,) = disks.values()
            return only
        zone, _, name = source.partition("/zones/")[2].partition("/disks/")
        return disks[zone, name]

    @contextlib.contextmanager
    def attached(self, source: str, node: str = NODE):
        """Have a machine use a disk."""
        disk = self.disk(source)
        disk["users"].append(disk["selfLink"].rpartition("/disks/")[0] + f"/instances/{node}")
        yield
        disk["users"].clear()
