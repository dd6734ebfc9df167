"""What the API answers. Open to fields a newer server adds, so that an older client goes on working."""

from __future__ import annotations

import datetime as dt
import uuid

from msgspec import Struct


class View(Struct, frozen=True, kw_only=True):
    """The base of every answer."""


class ReservationView(View, frozen=True, kw_only=True):
    """A reservation as its owner sees it."""

    id: uuid.UUID
    name: str
    owner: str
    state: str
    gpu_type: str
    #: On each node.
    gpus: int
    created_at: dt.datetime
    granted_seconds: int
    attempt: int
    generation: int
    detail: str = ""
    end_reason: str | None = None
    needs_attention: str | None = None
    #: The disk's name; None is a throw-away home.
    disk: str | None = None
    image: str | None = None
    backend: str | None = None
    node: str | None = None
    #: How many whole nodes it has; their names by rank while it holds them, if there are several.
    nodes: int = 1
    node_names: list[str] = []
    #: What to know of the place: `isolation`, `network`, `pretended`.
    notes: dict[str, str] = {}
    started_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    #: Place in its line, and the planned start; both only while queued.
    position: int | None = None
    starts_at: dt.datetime | None = None
    waiting_for: str | None = None
    #: Its alias in the ssh configuration without the suffix: `work`, or `work.kim` for another's box.
    ssh_name: str | None = None


class EventView(View, frozen=True, kw_only=True):
    """One entry of a reservation's history."""

    number: int
    at: dt.datetime
    what: str
    to_state: str
    actor: str
    from_state: str | None = None
    detail: str = ""


class Page(View, frozen=True, kw_only=True):
    """The base of a page of a long list: `next` goes into `after`."""

    next: str | None = None


class ReservationPage(Page, frozen=True, kw_only=True):
    """A page of reservations, newest first."""

    items: list[ReservationView]


class UseView(View, frozen=True, kw_only=True):
    """Who holds what until when, as everyone signed in may see it."""

    owner: str
    gpu_type: str
    gpus: int
    nodes: int = 1
    state: str
    until: dt.datetime | None = None
    mine: bool = False


class QueueEntryView(View, frozen=True, kw_only=True):
    """One place in line, as everyone signed in may see it."""

    gpu_type: str
    gpus: int
    nodes: int = 1
    position: int
    owner: str
    mine: bool
    starts_at: dt.datetime | None = None
    waiting_for: str = ""
    #: Only on one's own.
    reservation: str | None = None


class QueueView(View, frozen=True, kw_only=True):
    """Everybody in line."""

    as_of: dt.datetime
    entries: list[QueueEntryView]


class OfferView(View, frozen=True, kw_only=True):
    """So many GPUs together could start then, on each of so many whole nodes if there are several."""

    gpus: int
    nodes: int = 1
    starts_at: dt.datetime | None = None


class AvailabilityRow(View, frozen=True, kw_only=True):
    """One GPU type of one backend."""

    gpu_type: str
    backend: str
    total: int
    free: int
    #: The most that one reservation could get now.
    largest_now: int
    per_node: int
    queued: int
    description: str = ""
    pretended: bool = False
    max_duration_seconds: int | None = None
    #: Places that are there and not to be had now: `busy outside (kim, 4711)`.
    trouble: list[str] = []
    #: Whole nodes of one zone that one reservation can have, and could have now; 1 where it has one node.
    most_nodes: int = 1
    nodes_now: int = 0
    offers: list[OfferView] = []


class AvailabilityView(View, frozen=True, kw_only=True):
    """What is free, from the rows that the planner uses."""

    as_of: dt.datetime
    rows: list[AvailabilityRow]
    uses: list[UseView] = []


class GpuTypeView(View, frozen=True, kw_only=True):
    """A catalogue entry."""

    name: str
    backend: str
    gpus_per_node: int
    slots_per_node: int
    cpus: float
    memory_bytes: int
    description: str
    pretended: bool
    max_duration_seconds: int
    #: One reservation may have several whole nodes of it.
    gang: bool = False
    #: What its boxes may be asked to be allowed.
    profiles: list[str] = []


class GpuTypesView(View, frozen=True, kw_only=True):
    """The catalogue."""

    items: list[GpuTypeView]


class DryRunView(View, frozen=True, kw_only=True):
    """Where and when a request would start, and what would start sooner."""

    starts_at: dt.datetime | None
    position: int
    backend: str | None = None
    node: str | None = None
    node_names: list[str] = []
    waiting_for: str = ""
    #: Fewer GPUs (of several nodes: fewer nodes) of the same type that would start earlier.
    instead: list[OfferView] = []


class SnapshotView(View, frozen=True, kw_only=True):
    """A point in time of a disk."""

    id: uuid.UUID
    state: str
    reason: str
    requested_at: dt.datetime
    completed_at: dt.datetime | None = None
    size_bytes: int | None = None
    trouble: str | None = None


class MoveView(View, frozen=True, kw_only=True):
    """What it takes to use a disk somewhere else."""

    #: For people: another node, another zone, or the name of another backend.
    to: str
    #: `snapshot` or `copy`.
    by: str
    how: str


class DiskView(View, frozen=True, kw_only=True):
    """A disk as its owner sees it."""

    id: uuid.UUID
    name: str
    size_bytes: int
    created_at: dt.datetime
    backend: str | None = None
    #: What a box with it must be near, where it is tied to a zone or a node.
    zone: str | None = None
    node: str | None = None
    #: Its volume is being given up so that its next box can be in any zone.
    leaving: bool = False
    moves: list[MoveView] = []
    used_bytes: int | None = None
    last_used_at: dt.datetime | None = None
    #: The reservation that has it, by name, and its state.
    in_use_by: str | None = None
    in_use_state: str | None = None
    snapshots: int = 0
    deleted_at: dt.datetime | None = None
    #: A deleted disk can be had back until then.
    purge_at: dt.datetime | None = None
    needs_attention: str | None = None


class DisksView(View, frozen=True, kw_only=True):
    """One's disks."""

    items: list[DiskView]


class SnapshotsView(View, frozen=True, kw_only=True):
    """A disk's snapshots, newest first."""

    items: list[SnapshotView]


class GatewayView(View, frozen=True, kw_only=True):
    """The one door: where it is, and the keys by which to know it and the boxes behind it."""

    port: int
    #: None: the host the client dialled (loopback for local clients).
    host: str | None
    #: The gateway's own public key line.
    host_key: str
    #: The host CA's public key line.
    host_ca: str


class LoginOffer(View, frozen=True, kw_only=True):
    """A way to sign in: the operator's name of it, who provides it, and what its settings are to be on a person's machine."""

    name: str
    provider: str
    settings: dict[str, str] = {}


class ServerView(View, frozen=True, kw_only=True):
    """The server itself."""

    version: str
    install_id: uuid.UUID
    install: str
    paused: dict[str, str] = {}
    #: What people should know of each backend.
    backends: dict[str, dict[str, str]] = {}
    gateway: GatewayView | None = None
    #: Names alone, as older clients read them.
    logins: list[str] = []
    login_offers: list[LoginOffer] = []


class ProblemView(View, frozen=True, kw_only=True):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = ""
    field: str | None = None
    hint: str | None = None


class EventsView(View, frozen=True, kw_only=True):
    """A reservation's history, oldest first."""

    items: list[EventView]
