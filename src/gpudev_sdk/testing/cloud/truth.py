"""What is in a simulated cloud, and the records of what was done to it, for a checker."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping

import attrs

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.gpu import GpuType, Slot
from gpudev_sdk.domain.server import Peer, Phase, ServerId, ServerSpec

#: Markers in the order in which they were written, each on stable storage.
Content = tuple[str, ...]
CPU = "cpu"


@attrs.frozen(kw_only=True)
class CloudNode:
    """A machine, with how many slots of which types."""

    name: str
    slots: Mapping[str, int]
    zone: str = "zone-a"
    schedulable: bool = True
    reason: str = ""
    lost: bool = False
    #: How many volumes it can have at once; None: any number.
    volumes: int | None = None

    def slots_seen(self) -> tuple[Slot, ...]:
        """Return the slots as compute lists them."""
        return tuple(Slot(gpu_type=kind, index=index) for kind in self.slots for index in range(self.slots[kind]))


@attrs.frozen(kw_only=True)
class CloudServer:
    """A server that is there, in whatever phase."""

    server_id: ServerId
    install_id: uuid.UUID
    spec: ServerSpec
    #: When it was launched.
    since: dt.datetime
    phase: Phase = Phase.STARTING
    reason: str = ""
    #: Nodes, by rank, whose share of it has booted, and whose share has stopped: it is ready when all are, and gone.
    up: frozenset[int] = frozenset()
    down: frozenset[int] = frozenset()
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    #: The volume it has, once attached.
    volume_id: uuid.UUID | None = None
    stopping: bool = False
    #: Its node is lost, and the cloud does not know yet.
    unreachable: bool = False
    #: It came up past its tombstone.
    slipped: bool = False

    @property
    def node(self) -> str:
        """The node it is on, rank 0's of a gang."""
        return self.spec.node

    def share_of(self, node: str) -> Peer | None:
        """Return what it holds of a node, or None."""
        return next((share for share in self.spec.shares if share.node == node), None)

    @property
    def running(self) -> bool:
        """Whether a person can work in it."""
        return self.phase is Phase.READY and not self.unreachable

    @property
    def holds(self) -> bool:
        """Whether it takes its slots: what has ended and waits to be removed does not."""
        return self.phase is not Phase.FINISHED


@attrs.frozen(kw_only=True)
class CloudVolume:
    """A volume that is there."""

    handle: str
    volume_id: uuid.UUID
    disk_id: uuid.UUID
    install_id: uuid.UUID
    zone: str
    content: Content = ()
    ready: bool = False
    #: The server that has it, also for a while after that server is gone.
    attached: ServerId | None = None
    made_at: dt.datetime


@attrs.frozen(kw_only=True)
class CloudSnapshot:
    """A snapshot that is there; its content is what the volume had when it was asked for."""

    handle: str
    snapshot_id: uuid.UUID
    volume_id: uuid.UUID
    disk_id: uuid.UUID
    install_id: uuid.UUID
    content: Content
    requested_at: dt.datetime
    state: SnapshotState = SnapshotState.PENDING
    reason: str = ""
    completed_at: dt.datetime | None = None
    #: Somebody else's copy that carries our tags.
    foreign: bool = False


@attrs.frozen(kw_only=True)
class Deletion:
    """A volume was deleted. `saved`: a completed snapshot of that volume has all its content, or there was none."""

    volume_id: uuid.UUID
    disk_id: uuid.UUID
    content: Content
    saved: bool
    at: dt.datetime


@attrs.frozen(kw_only=True)
class SnapshotDeletion:
    """A snapshot was deleted. `newest`: it was the newest completed one of its disk."""

    snapshot_id: uuid.UUID
    disk_id: uuid.UUID
    content: Content
    newest: bool
    at: dt.datetime


@attrs.frozen(kw_only=True)
class MountSeen:
    """A server came up with a disk, and found this content."""

    server_id: ServerId
    disk_id: uuid.UUID
    volume_id: uuid.UUID
    content: Content
    at: dt.datetime


@attrs.frozen(kw_only=True)
class DoubleAttachment:
    """A server was started with a volume that another one had; the cloud let it wait."""

    volume_id: uuid.UUID
    server_id: ServerId
    holder: ServerId
    at: dt.datetime


@attrs.frozen(kw_only=True)
class Overbooking:
    """A server was started on slots that another one had; the cloud refused it."""

    node: str
    gpu_type: str
    slots: tuple[int, ...]
    server_id: ServerId
    holder: ServerId
    at: dt.datetime


def types_of(nodes: tuple[CloudNode, ...]) -> tuple[GpuType, ...]:
    """Return a catalogue that fits the nodes: `cpu` has places, everything else has GPUs."""
    most: dict[str, int] = {}
    for node in nodes:
        for kind, slots in node.slots.items():
            most[kind] = max(most.get(kind, 0), slots)
    return tuple(
        GpuType(
            name=kind,
            gpus_per_node=0 if kind == CPU else slots,
            slots_per_node=slots if kind == CPU else 0,
            cpus=8.0 * slots,
            memory_bytes=2**35 * slots,
            pretended=True,
            gang=True,
        )
        for kind, slots in most.items()
    )
