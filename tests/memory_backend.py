"""A backend in memory that does what it is told to: for the engine's tests, where a real one cannot be made to misbehave."""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.disk import (
    Mount,
    MountKind,
    SnapshotSighting,
    SnapshotState,
    VolumeSighting,
)
from gpudev_sdk.domain.gpu import GpuType, Node, Slot
from gpudev_sdk.domain.server import Phase, Presence, Sighting, digest_files
from gpudev_sdk.errors import Conflict, Unworkable
from gpudev_sdk.providers import Compute, Gang, Storage

H100 = GpuType(name="h100", gpus_per_node=8, cpus=64, memory_bytes=2**40, gang=True)
CPU = GpuType(name="cpu", gpus_per_node=0, slots_per_node=4, cpus=8, memory_bytes=2**34)


@attrs.define
class Memory:
    """What is there, and how it behaves."""

    servers: dict = attrs.field(factory=dict)
    tombstones: set = attrs.field(factory=set)
    launches: list = attrs.field(factory=list)
    claim: object = None
    volumes: dict = attrs.field(factory=dict)
    snapshots: dict = attrs.field(factory=dict)
    #: Raised by the next launches, one each.
    launch_errors: list = attrs.field(factory=list)
    #: Servers stay in this phase.
    phase: Phase = Phase.READY
    #: Nothing can be told of servers.
    blind: bool = False
    #: Servers go on running however often they are asked to end.
    stubborn: bool = False
    snapshot_state: SnapshotState = SnapshotState.COMPLETED
    log: list = attrs.field(factory=list)
    #: Nodes that are alike.
    boxes: int = 1
    #: Zones by node, where it is not the one.
    zones: dict = attrs.field(factory=dict)


class MemoryCompute(Compute, Gang):
    """Servers in a dictionary."""

    Settings = Memory

    def __init__(self, settings, context=None):
        self.memory = settings

    def gpu_types(self):
        return (H100, CPU)

    def get_availability_zones(self):
        return ("local",)

    def nodes(self):
        slots = [Slot(gpu_type="h100", index=index) for index in range(8)]
        slots += [Slot(gpu_type="cpu", index=index) for index in range(4)]
        more = (f"box-{number}" for number in range(2, self.memory.boxes + 1))
        zones = self.memory.zones
        return tuple(Node(name=name, slots=tuple(slots), zone=zones.get(name, "local")) for name in ("box", *more))

    def launch(self, spec):
        memory = self.memory
        if memory.launch_errors:
            raise memory.launch_errors.pop(0)
        if spec.server_id in memory.tombstones or spec.server_id in memory.servers:
            return
        memory.launches.append(spec)
        memory.log.append("launch")
        memory.servers[spec.server_id] = (spec, dict(spec.files))

    def observe(self, server_id):
        memory = self.memory
        if memory.blind:
            return Sighting.unknown("the line is cut")
        if server_id not in memory.servers:
            return Sighting.absent("not there")
        files = memory.servers[server_id][1]
        return Sighting(
            presence=Presence.PRESENT, phase=memory.phase, endpoint="unix:/box", files_digest=digest_files(files)
        )

    def configure(self, server_id, files):
        if server_id in self.memory.servers:
            self.memory.servers[server_id] = (self.memory.servers[server_id][0], dict(files))

    def terminate(self, server_id):
        self.memory.tombstones.add(server_id)
        self.memory.log.append("terminate")
        if not self.memory.stubborn:
            self.memory.servers.pop(server_id, None)

    def list_servers(self):
        return tuple(self.memory.servers)

    def read_claim(self):
        return self.memory.claim

    def write_claim(self, new, expected):
        if self.memory.claim != expected:
            raise Conflict("the claim is another's")
        self.memory.claim = new


class MemoryStorage(Storage):
    """Volumes and snapshots in dictionaries; a volume is attached while a server has it."""

    Settings = Memory

    def __init__(self, settings, context=None):
        self.memory = settings

    def create_volume(self, spec):
        self.memory.volumes.setdefault(spec.volume_id, "empty")
        return f"vol-{spec.volume_id}"

    def create_volume_from_snapshot(self, spec, snapshot):
        if snapshot.snapshot_id not in self.memory.snapshots:
            raise Unworkable("there is no such snapshot")
        self.memory.volumes.setdefault(spec.volume_id, f"from {snapshot.snapshot_id}")
        return f"vol-{spec.volume_id}"

    def get_volume(self, volume):
        if volume.volume_id not in self.memory.volumes:
            return VolumeSighting(volume_id=volume.volume_id, presence="absent")
        users = tuple(
            str(server) for server, (spec, _) in self.memory.servers.items()
            if spec.mount is not None and spec.mount.volume_id == volume.volume_id
        )  # fmt: skip
        return VolumeSighting(volume_id=volume.volume_id, presence="present", ready=True, attachments=users)

    def list_volumes(self):
        return tuple(VolumeSighting(volume_id=volume, presence="present") for volume in self.memory.volumes)

    def delete_volume(self, volume):
        self.memory.volumes.pop(volume.volume_id, None)

    def mount(self, volume):
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CSI, source="x")

    def create_snapshot(self, spec):
        if spec.volume.volume_id not in self.memory.volumes:
            raise Unworkable("there is no such volume")
        self.memory.log.append("snapshot")
        self.memory.snapshots.setdefault(spec.snapshot_id, self.memory.snapshot_state)
        return f"snap-{spec.snapshot_id}"

    def get_snapshot(self, snapshot):
        state = self.memory.snapshots.get(snapshot.snapshot_id)
        if state is None:
            return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")
        return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="present", state=state, handle="snap")

    def list_snapshots(self):
        return tuple(SnapshotSighting(snapshot_id=found, presence="present") for found in self.memory.snapshots)

    def delete_snapshot(self, snapshot):
        self.memory.snapshots.pop(snapshot.snapshot_id, None)
