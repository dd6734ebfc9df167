"""What was seen outside the database, as plain values. None anywhere means it could not be told, which is never absence."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping

import attrs

from gpudev_sdk.domain.server import Peer, ServerId


@attrs.frozen(kw_only=True)
class SeenServer:
    """A server that runs."""

    server_id: ServerId
    node: str | None = None
    gpu_type: str | None = None
    #: Indices of the slots it uses on its node.
    slots: tuple[int, ...] | None = None
    #: The same of every node of a gang, by rank; empty for one node.
    peers: tuple[Peer, ...] = ()
    volume_id: uuid.UUID | None = None
    since: dt.datetime | None = None

    @property
    def shares(self) -> tuple[Peer, ...]:
        """What it uses of each node, as far as was seen."""
        if self.peers or self.node is None:
            return self.peers
        return (Peer(self.node, self.slots or ()),)


@attrs.frozen(kw_only=True)
class SeenVolume:
    """A volume that is stored, and what has it mounted."""

    volume_id: uuid.UUID
    attachments: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class SeenSnapshot:
    """A snapshot that is stored."""

    snapshot_id: uuid.UUID
    state: str | None = None


@attrs.frozen(kw_only=True)
class SeenBackend:
    """One look at one backend."""

    name: str
    servers: tuple[SeenServer, ...] | None = None
    volumes: tuple[SeenVolume, ...] | None = None
    snapshots: tuple[SeenSnapshot, ...] | None = None
    #: Slots that there are, by (node, GPU type).
    allocatable: Mapping[tuple[str, str], int] | None = None
    #: Why something could not be told, in words.
    trouble: str = ""


@attrs.frozen(kw_only=True)
class Acknowledged:
    """A client was told that its request is accepted."""

    owner: str
    idempotency_key: str
    reservation_id: uuid.UUID
    #: SHA-256 of the request in hex, where the client can tell.
    request_digest: str | None = None


@attrs.frozen(kw_only=True)
class Loss:
    """Content was deleted outside that no completed snapshot had."""

    volume_id: uuid.UUID
    disk_id: uuid.UUID
    at: dt.datetime


@attrs.frozen(kw_only=True)
class MountSeen:
    """A server began with this content on its disk, and should have begun with that."""

    server_id: ServerId
    disk_id: uuid.UUID
    seen: object
    expected: object
    at: dt.datetime


@attrs.frozen(kw_only=True)
class Text:
    """A text that people, logs or other programs get to see, and where it stands."""

    where: str
    text: str


@attrs.frozen(kw_only=True)
class Count:
    """Slots of one type on one backend, and who waits for it."""

    total: int
    free: int
    queued: int


@attrs.frozen(kw_only=True)
class Answer:
    """What a person was told about availability, by (backend, GPU type), and as of when."""

    as_of: dt.datetime
    counts: Mapping[tuple[str, str], Count]


@attrs.frozen(kw_only=True)
class Record:
    """What only a simulation or a chaos rig knows."""

    acknowledged: tuple[Acknowledged, ...] = ()
    losses: tuple[Loss, ...] = ()
    mounts: tuple[MountSeen, ...] = ()
    #: Secret values that were planted; they may appear in no text.
    canaries: tuple[str, ...] = attrs.field(default=(), repr=False)
    texts: tuple[Text, ...] = attrs.field(default=(), repr=False)
    answer: Answer | None = None


@attrs.frozen(kw_only=True)
class World:
    """One look at everything outside."""

    backends: tuple[SeenBackend, ...] = ()
    record: Record | None = None
