"""Disks, their volumes and snapshots, as the engine asks for them and sees them."""

from __future__ import annotations

import datetime as dt
import enum
import uuid

import attrs


class Reach(enum.StrEnum):
    """How far from where it was made a volume can be mounted."""

    #: Its node alone, as folders of a machine; what is made of its snapshots, too.
    NODE = "node"
    #: Any node of its zone, as block storage of most clouds; a volume made of its snapshots can be in any zone.
    ZONE = "zone"
    BACKEND = "backend"


@attrs.frozen(kw_only=True)
class VolumeSpec:
    """A volume to make. `volume_id` is the operation id too: asking twice is asking once."""

    volume_id: uuid.UUID
    disk_id: uuid.UUID
    owner_number: int
    size_bytes: int
    #: Where it must be mountable.
    node: str
    zone: str = "local"


@attrs.frozen(kw_only=True)
class VolumeRef:
    """Names a volume: ours, and the cloud's handle once create told it."""

    volume_id: uuid.UUID
    disk_id: uuid.UUID
    handle: str | None = None


@attrs.frozen(kw_only=True)
class VolumeSighting:
    """What a look at a volume saw. `attachments` None means it could not be told."""

    volume_id: uuid.UUID
    #: absent, present or unknown, as in `server.Presence`.
    presence: str
    ready: bool = False
    handle: str | None = None
    zone: str = "local"
    attachments: tuple[str, ...] | None = None
    used_bytes: int | None = None
    reason: str = ""


class MountKind(enum.StrEnum):
    """How storage hands a volume to compute."""

    HOST_PATH = "host-path"
    CLAIM = "claim"
    CSI = "csi"


@attrs.frozen(kw_only=True)
class Mount:
    """A volume in the form that compute can use."""

    volume_id: uuid.UUID
    disk_id: uuid.UUID
    kind: MountKind
    #: Host path, claim name, or `DRIVER/HANDLE` of CSI.
    source: str
    #: Any number of boxes have it at once (a share), rather than one.
    shared: bool = False
    #: What a CSI driver wants to know beside the handle.
    attributes: dict[str, str] = attrs.field(factory=dict)


class SnapshotState(enum.StrEnum):
    """How far a snapshot is."""

    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"


@attrs.frozen(kw_only=True)
class SnapshotSpec:
    """A snapshot to take. `snapshot_id` is the operation id too."""

    snapshot_id: uuid.UUID
    volume: VolumeRef
    owner_number: int


@attrs.frozen(kw_only=True)
class SnapshotRef:
    """Names a snapshot: ours, and the cloud's handle once create told it."""

    snapshot_id: uuid.UUID
    disk_id: uuid.UUID
    handle: str | None = None


@attrs.frozen(kw_only=True)
class SnapshotSighting:
    """What a look at a snapshot saw."""

    snapshot_id: uuid.UUID
    presence: str
    state: SnapshotState | None = None
    handle: str | None = None
    size_bytes: int | None = None
    reason: str = ""
    completed_at: dt.datetime | None = None
