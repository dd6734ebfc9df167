"""A provider with every ability that keeps every law that only reads, and writes down each call that is made of it."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs

from gpudev_sdk.domain.disk import Mount, MountKind, SnapshotSighting, SnapshotState, VolumeSighting
from gpudev_sdk.domain.gpu import GpuType, Instance, Node, Slot
from gpudev_sdk.domain.server import Claim, ServerId, Sighting
from gpudev_sdk.errors import InvalidRequest, NotFound
from gpudev_sdk.providers import Compute, Gang, ObjectStorage, Scaling, SharedStorage, Spot, Storage
from gpudev_sdk.providers.objects import StoredObject
from gpudev_sdk.providers.scaling import CapacityReservation, Interruption, NodePool
from gpudev_sdk.providers.shares import ShareSighting

#: What a look may call; everything else makes, changes or deletes.
READS = {
    "gpu_types", "get_availability_zones", "list_instances", "get_instance", "nodes", "observe", "list_servers", "read_claim",
    "describe", "get_volume", "list_volumes", "get_snapshot", "list_snapshots", "find_object", "list_objects", "get_share",
    "list_shares", "node_pools", "capacity_reservations", "spot_nodes", "interruptions",
}  # fmt: skip
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KIND = GpuType(name="h100", gpus_per_node=2, gang=True)
SLOTS = tuple(Slot(gpu_type="h100", index=index) for index in range(2))
NODES = (Node(name="a", slots=SLOTS), Node(name="b", slots=SLOTS, schedulable=False, reason="it is being taken back"))
POOL = NodePool(
    name="p", machine_type="p5", gpu_type="h100", gpus_per_node=2, zones=("local",), wanted=1, minimum=0, maximum=2
)


@attrs.define
class World:
    """Whose things are there, and what was called."""

    owner: uuid.UUID = attrs.field(factory=uuid.uuid4)
    calls: list = attrs.field(factory=list)


class Recording:
    """Writes down every call of a public method."""

    def __init__(self, settings, context):
        self.world = settings
        self.mine = context.install_id == settings.owner

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not name.startswith("_") and callable(found):
            self.world.calls.append(name)
        return found

    def _own(self, *things):
        return things if self.mine else ()


class EveryCompute(Recording, Compute, Gang, Scaling, Spot):
    Settings = World

    def gpu_types(self):
        return (KIND,)

    def get_availability_zones(self):
        return ("local",)

    def list_instances(self):
        return (Instance(id="i-1", type="p5", zone="local", state="running"),)

    def get_instance(self, instance_id):
        for instance in self.list_instances():
            if instance.id == instance_id:
                return instance
        raise NotFound

    def nodes(self):
        return NODES

    def observe(self, server_id):
        return Sighting.absent()

    def list_servers(self):
        return self._own(ServerId(uuid.UUID(int=1), 1))

    def read_claim(self):
        return Claim(install_id=self.world.owner, control_plane_id=uuid.UUID(int=7), epoch=1)

    def launch(self, spec): ...

    def configure(self, server_id, files): ...

    def terminate(self, server_id): ...

    def write_claim(self, new, expected): ...

    def node_pools(self):
        return (POOL,)

    def grow(self, pool, wanted): ...

    def remove_node(self, pool, node): ...

    def capacity_reservations(self):
        return (CapacityReservation(id="cr", machine_type="p5", zone="local", total=2, available=1, state="active"),)

    def spot_nodes(self):
        return ("b",)

    def interruptions(self):
        return (Interruption(node="b", at=NOW, reason="the cloud wants it"),)


class EveryStorage(Recording, Storage, ObjectStorage, SharedStorage):
    Settings = World

    def get_volume(self, volume):
        return VolumeSighting(volume_id=volume.volume_id, presence="absent")

    def list_volumes(self):
        return self._own(VolumeSighting(volume_id=uuid.UUID(int=1), presence="present", ready=True))

    def get_snapshot(self, snapshot):
        return SnapshotSighting(snapshot_id=snapshot.snapshot_id, presence="absent")

    def list_snapshots(self):
        done = {"state": SnapshotState.COMPLETED, "completed_at": NOW}
        return self._own(SnapshotSighting(snapshot_id=uuid.UUID(int=1), presence="present", **done))

    def create_volume(self, spec): ...

    def create_volume_from_snapshot(self, spec, snapshot): ...

    def delete_volume(self, volume): ...

    def mount(self, volume):
        return Mount(volume_id=volume.volume_id, disk_id=volume.disk_id, kind=MountKind.CLAIM, source="x")

    def create_snapshot(self, spec): ...

    def delete_snapshot(self, snapshot): ...

    def put_object(self, key, content, *, expected=None): ...

    def find_object(self, key):
        if not key or key.startswith("/") or "//" in key or ".." in key or " " in key or len(key) > 512:
            raise InvalidRequest("no such key")

    def list_objects(self, prefix=""):
        return self._own(*(StoredObject(key=key, version="1", size_bytes=1) for key in ("a", "b")))

    def delete_object(self, key, *, expected=None): ...

    def create_share(self, spec): ...

    def get_share(self, share):
        return ShareSighting(share_id=share.share_id, presence="absent")

    def list_shares(self):
        return self._own(ShareSighting(share_id=uuid.UUID(int=1), presence="present", ready=True))

    def mount_share(self, share): ...

    def delete_share(self, share): ...
