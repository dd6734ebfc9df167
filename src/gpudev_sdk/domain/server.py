"""A dev server as the engine names it, asks for it, and sees it."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import uuid
from collections.abc import Mapping

import attrs

from gpudev_sdk.domain.disk import Mount


class Presence(enum.StrEnum):
    """What a look at the world can say. Unknown is never absent."""

    ABSENT = "absent"
    PRESENT = "present"
    UNKNOWN = "unknown"


class Phase(enum.StrEnum):
    """How far a present server is."""

    #: Launched and not yet answering.
    STARTING = "starting"
    #: Its SSH server answers at `endpoint`.
    READY = "ready"
    #: It ended by itself; `reason` says how. Its traces may still be there.
    FINISHED = "finished"


@attrs.frozen(order=True)
class ServerId:
    """The name of one attempt's server: every name outside is made of it."""

    reservation_id: uuid.UUID
    attempt: int

    def __str__(self) -> str:
        return f"gd-{self.reservation_id}-{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> ServerId:
        """Read back `str(server_id)`; raise ValueError for anything else."""
        prefix, _, rest = text.partition("-")
        body, _, attempt = rest.rpartition("-")
        parsed = cls(uuid.UUID(body), int(attempt))
        if prefix != "gd" or str(parsed) != text:
            raise ValueError(f"{text!r} is not a server id")
        return parsed


@attrs.frozen
class Peer:
    """One node of a gang, and the slots of it that the gang holds. Its place among the others is its rank."""

    node: str
    slots: tuple[int, ...]


@attrs.frozen(kw_only=True)
class ServerSpec:
    """Everything compute needs to launch one server, and nothing it has to look up."""

    server_id: ServerId
    name: str
    #: The person: our number for them (1, 2, …; never reused) and their user name.
    owner_number: int
    owner: str
    node: str
    gpu_type: str
    #: Slots of that node which this server holds, by index.
    slots: tuple[int, ...]
    #: GPUs on each node.
    gpus: int
    #: The disk at /home/dev (of a gang, on rank 0 alone); None is a throw-away home.
    mount: Mount | None
    image: str | None = None
    #: What it may do beside what every box may (`domain.profiles`).
    profile: str | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    #: First content of /run/gpudev in the box, by file name (see `configure`).
    files: dict[str, bytes] = attrs.field(factory=dict, repr=False)
    #: Secret values for the environment; never in argv, logs or specs that others read.
    env: dict[str, str] = attrs.field(factory=dict, repr=False)
    #: The nodes of a gang by rank, `node` and `slots` above being rank 0's; empty for one node.
    peers: tuple[Peer, ...] = ()

    @property
    def shares(self) -> tuple[Peer, ...]:
        """What it holds of every node it is on, by rank."""
        return self.peers or (Peer(self.node, self.slots),)


@attrs.frozen(kw_only=True)
class Sighting:
    """What `observe` saw of one server."""

    presence: Presence
    phase: Phase | None = None
    #: For people: why it is as it is.
    reason: str = ""
    #: Where the gateway reaches its SSH server: `unix:/path` or `tcp:host:port`; stored on the row.
    endpoint: str | None = None
    #: `digest_files` of the files in place, or None if it cannot be told.
    files_digest: str | None = None
    started_at: dt.datetime | None = None
    #: The machine restarted under it: the same attempt may be launched again.
    rebooted: bool = False
    #: Some of its parts are there and some are not: a launch was cut off, and launching again completes it.
    incomplete: bool = False

    @classmethod
    def absent(cls, reason: str = "", *, rebooted: bool = False) -> Sighting:
        """It is not there: seen, not guessed."""
        return cls(presence=Presence.ABSENT, reason=reason, rebooted=rebooted)

    @classmethod
    def unknown(cls, reason: str) -> Sighting:
        """It could not be told."""
        return cls(presence=Presence.UNKNOWN, reason=reason)


@attrs.frozen(kw_only=True)
class Claim:
    """Who controls a backend: kept outside our database, so that a copy of it is found out."""

    install_id: uuid.UUID
    control_plane_id: uuid.UUID
    epoch: int


def digest_files(files: Mapping[str, bytes]) -> str:
    """Return the digest by which `files` are recognised: SHA-256 over names and contents, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        digest.update(f"{len(name)}:{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()
