"""A request with a life: its states, the moves between them, and the row as the engine reads it."""

from __future__ import annotations

import datetime as dt
import enum
import uuid

import attrs

from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.server import Peer, ServerId


class State(enum.StrEnum):
    """Where a reservation is in its life."""

    #: In line. Costs nothing.
    QUEUED = "queued"
    #: Holds its slots; its server is being brought up.
    PREPARING = "preparing"
    #: Its server answered and the person was let in.
    ACTIVE = "active"
    #: The only way out: the server goes, the disk is kept safe.
    STOPPING = "stopping"
    #: Seen clean. Final.
    ENDED = "ended"


class EndReason(enum.StrEnum):
    """Why it ended; decided on entry to stopping."""

    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    PREEMPTED = "preempted"
    COMPLETED = "completed"


#: The whole graph; a trigger in the schema holds the same.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PREPARING, State.STOPPING}),
    State.PREPARING: frozenset({State.ACTIVE, State.STOPPING}),
    State.ACTIVE: frozenset({State.STOPPING}),
    State.STOPPING: frozenset({State.QUEUED, State.ENDED}),
    State.ENDED: frozenset(),
}

LIVE = (State.QUEUED, State.PREPARING, State.ACTIVE, State.STOPPING)


@attrs.frozen(kw_only=True)
class Reservation:
    """The row as the engine decides on it. Times are the database's."""

    id: uuid.UUID
    owner_id: uuid.UUID
    owner: str
    owner_number: int
    name: str
    request: Request
    state: State
    generation: int
    attempt: int
    #: Place in line, kept over every retry.
    seq: int
    created_at: dt.datetime
    #: When the present state began, and when it is overdue.
    state_since: dt.datetime
    state_deadline: dt.datetime | None
    #: When it gives up its place in line, over all retries.
    queue_deadline: dt.datetime
    #: What the person may use in all; grows by extend.
    granted: dt.timedelta
    started_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    cancel_requested_at: dt.datetime | None = None
    #: The `served` seconds when the ending notice for `expires_at` was shown.
    ending_notice_served: float | None = None
    #: The notice was seen in the box; the grace counts from then.
    ending_notice_shown: bool = False
    end_reason: EndReason | None = None
    #: For people: what is happening, or why it ended.
    detail: str = ""
    #: Why it left preparing or active, in words.
    end_detail: str = ""
    needs_attention: str | None = None
    backend: str | None = None
    #: The node, or rank 0's of a gang, and the slots held there.
    node: str | None = None
    slots: tuple[int, ...] = ()
    #: Slots on each node: its GPUs, one of a CPU-only type, or all of a whole node.
    slots_needed: int = 1
    #: How many nodes; more than one is a gang.
    nodes: int = 1
    #: What a gang holds, by rank: rank 0 is `node`, the others follow by name. Empty for one node.
    peers: tuple[Peer, ...] = ()
    endpoint: str | None = None
    files_digest: str | None = None
    #: Steps of preparing and stopping that were seen done.
    launch_intended_at: dt.datetime | None = None
    tombstoned_at: dt.datetime | None = None
    gone_at: dt.datetime | None = None
    detached_at: dt.datetime | None = None
    disk_id: uuid.UUID | None = None
    volume_id: uuid.UUID | None = None
    end_snapshot_id: uuid.UUID | None = None
    snapshot_skipped: str | None = None
    disk_released_at: dt.datetime | None = None
    #: Since when the box has not run because its machine restarted.
    down_since: dt.datetime | None = None
    #: Attempts that failed by themselves.
    failures: int = 0
    lease_epoch: int = 0

    @property
    def server_id(self) -> ServerId:
        """The name of the present attempt's server."""
        return ServerId(self.id, self.attempt)


@attrs.frozen(kw_only=True)
class ReservationEvent:
    """One entry of a reservation's history, as listeners are told of it."""

    reservation_id: uuid.UUID
    number: int
    what: str
    from_state: str | None
    to_state: str
    detail: str
    actor: str
    at: dt.datetime
