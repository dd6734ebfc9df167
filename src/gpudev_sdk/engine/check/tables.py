"""What the laws need of the database, as plain values; `reading` fills them, tests build them by hand."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs

from gpudev_sdk.engine.check.world import Text


@attrs.frozen(kw_only=True)
class ReservationRow:
    """One reservation: live, ended a while ago, or named by something that is still there."""

    id: uuid.UUID
    owner_id: uuid.UUID
    name: str
    state: str
    generation: int
    attempt: int
    seq: int
    priority: int
    gpu_type: str
    #: GPUs and slots are those on each of its nodes.
    gpus: int
    slots_needed: int
    nodes: int
    #: Seconds granted by now, and seconds asked for at first.
    granted: float
    asked: float
    #: The backend and the disk that the request names, if it does.
    wished_backend: str | None
    wished_disk: str | None
    created_at: dt.datetime
    state_since: dt.datetime
    state_deadline: dt.datetime | None
    started_at: dt.datetime | None
    expires_at: dt.datetime | None
    ended_at: dt.datetime | None
    cancel_requested_at: dt.datetime | None
    end_reason: str | None
    detail: str
    end_detail: str
    needs_attention: str | None
    backend: str | None
    node: str | None
    launch_intended_at: dt.datetime | None
    gone_at: dt.datetime | None
    down_since: dt.datetime | None
    disk_id: uuid.UUID | None
    volume_id: uuid.UUID | None
    detached_at: dt.datetime | None
    disk_released_at: dt.datetime | None
    retry_at: dt.datetime | None
    wake_at: dt.datetime | None
    #: Whether its history and warnings were read too.
    told: bool

    @property
    def label(self) -> str:
        """How a finding names it."""
        return f"{self.name} ({self.id})"

    @property
    def slots_in_all(self) -> int:
        """Slots on all its nodes together."""
        return self.slots_needed * self.nodes


@attrs.frozen(kw_only=True)
class EventRow:
    """One entry of a reservation's history."""

    reservation_id: uuid.UUID
    generation: int
    what: str
    from_state: str | None
    to_state: str
    detail: str
    actor: str
    at: dt.datetime


@attrs.frozen(kw_only=True)
class WarningRow:
    """One recorded warning; threshold 0 is the ending notice."""

    reservation_id: uuid.UUID
    threshold: int
    expires_at: dt.datetime
    gaps: int
    at: dt.datetime


@attrs.frozen(kw_only=True)
class SlotRow:
    """Slots of one type on one node that are alike: free, or held by one reservation."""

    backend: str
    node: str
    gpu_type: str
    #: Seen at the last look at the backend; and busy with what is not ours.
    present: bool
    busy: bool
    #: The node takes new boxes.
    schedulable: bool
    reservation_id: uuid.UUID | None
    indices: tuple[int, ...]
    zone: str = "local"
    #: How many of our volumes its node can have; None: no limit is known.
    volumes: int | None = None


@attrs.frozen(kw_only=True)
class LeaseRow:
    """An open lease: this reservation is the one writer of this disk."""

    disk_id: uuid.UUID
    reservation_id: uuid.UUID
    attempt: int


@attrs.frozen(kw_only=True)
class DiskRow:
    """One disk that was not purged, or of which something is left."""

    id: uuid.UUID
    owner_id: uuid.UUID
    name: str
    volume_id: uuid.UUID | None
    restore_from: uuid.UUID | None
    deleted_at: dt.datetime | None
    purge_at: dt.datetime | None
    purged_at: dt.datetime | None
    needs_attention: str | None


@attrs.frozen(kw_only=True)
class VolumeRow:
    """One volume that should exist, or that was seen to."""

    id: uuid.UUID
    disk_id: uuid.UUID
    backend: str
    state: str
    detached_at: dt.datetime | None
    deletable_snapshot_id: uuid.UUID | None
    delete_reason: str | None


@attrs.frozen(kw_only=True)
class SnapshotRow:
    """One snapshot that should exist, was seen to, or makes a deletion safe."""

    id: uuid.UUID
    disk_id: uuid.UUID
    volume_id: uuid.UUID
    backend: str
    state: str
    requested_at: dt.datetime
    completed_at: dt.datetime | None


@attrs.frozen(kw_only=True)
class UserRow:
    """One person."""

    id: uuid.UUID
    name: str
    is_admin: bool


@attrs.frozen(kw_only=True)
class BackendRow:
    """What we believe of a backend: why nothing may be done there, and when it was last seen whole."""

    name: str
    paused: str | None
    seen_at: dt.datetime | None
    trouble: str | None


@attrs.frozen(kw_only=True)
class AcceptedRow:
    """An accepted request, looked up again because a client was told that it was accepted."""

    reservation_id: uuid.UUID
    owner: str
    idempotency_key: str
    #: SHA-256 in hex.
    request_digest: str


@attrs.frozen(kw_only=True)
class Tables:
    """The database as of one moment."""

    as_of: dt.datetime
    reservations: tuple[ReservationRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    warnings: tuple[WarningRow, ...] = ()
    slots: tuple[SlotRow, ...] = ()
    leases: tuple[LeaseRow, ...] = ()
    disks: tuple[DiskRow, ...] = ()
    volumes: tuple[VolumeRow, ...] = ()
    snapshots: tuple[SnapshotRow, ...] = ()
    users: tuple[UserRow, ...] = ()
    backends: tuple[BackendRow, ...] = ()
    #: (backend, GPU type) of the catalogue.
    types: tuple[tuple[str, str], ...] = ()
    #: Reservations of which secret values are kept. The values are never read.
    secrets: tuple[uuid.UUID, ...] = ()
    #: Requests that clients were told of, by id.
    accepted: tuple[AcceptedRow, ...] = ()
    #: Read only when there are planted secrets to look for.
    texts: tuple[Text, ...] = ()
