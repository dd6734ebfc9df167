"""The planner's question and answer, as plain values."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs


@attrs.frozen(kw_only=True)
class Bin:
    """The slots of one GPU type on one node: what the planner places into."""

    backend: str
    node: str
    gpu_type: str
    #: Slots that exist and may be used at all (schedulable, not busy outside).
    usable: int
    zone: str = "local"
    #: All slots that exist: a gang takes whole nodes. 0: all may be used.
    total: int = 0
    #: How many of our volumes the node can have at once, whatever its bins; None: no limit is known.
    volumes: int | None = None

    @property
    def whole(self) -> int:
        """The slots of the whole node."""
        return self.total or self.usable


@attrs.frozen(kw_only=True)
class Holding:
    """Slots of a bin that a reservation holds, until when; None is never free again, for all that is known."""

    backend: str
    node: str
    gpu_type: str
    slots: int
    until: dt.datetime | None
    #: Whether it has a volume there, until then.
    volume: bool = False


@attrs.frozen(kw_only=True)
class Waiting:
    """One request in line."""

    reservation_id: uuid.UUID
    gpu_type: str
    #: On each node.
    slots: int
    #: How long it will hold its slots: granted + grace + stop allowance.
    lasts: dt.timedelta
    priority: int
    seq: int
    backend: str | None = None
    #: Only this node can have it (its disk lies there), or None; of a gang it is rank 0.
    node: str | None = None
    #: Only nodes of this zone can have it (its disk lies there), or None.
    zone: str | None = None
    #: More than 1 is a gang: so many whole nodes of one zone, all at once.
    nodes: int = 1
    #: Whether it needs a place for a volume on its node; of a gang, on that of rank 0.
    volume: bool = False
    #: Things only one reservation has at a time: its disk, its name.
    exclusive: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Question:
    """Everything the planner looks at."""

    now: dt.datetime
    bins: tuple[Bin, ...]
    holdings: tuple[Holding, ...]
    waiting: tuple[Waiting, ...]
    #: Exclusive things that are taken, and until when they are; None is unknown.
    taken: dict[str, dt.datetime | None] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Placement:
    """When and where one request starts."""

    reservation_id: uuid.UUID
    #: Place in its line (same GPU type), from 1.
    position: int
    #: None: not while what is known holds.
    starts_at: dt.datetime | None
    backend: str | None = None
    #: The node, or rank 0's of a gang.
    node: str | None = None
    #: Every node of a gang by rank; empty for one node.
    nodes: tuple[str, ...] = ()
    #: What it waits for, in words.
    waiting_for: str = ""

    @property
    def everywhere(self) -> tuple[str | None, ...]:
        """Every node, one or several."""
        return self.nodes or (self.node,)


@attrs.frozen(kw_only=True)
class Plan:
    """Who starts where now, and when everyone else will if nobody extends."""

    now: dt.datetime
    placements: tuple[Placement, ...]

    @property
    def starting(self) -> tuple[Placement, ...]:
        """Those that start now, in the order of the line."""
        return tuple(
            placed for placed in self.placements if placed.starts_at is not None and placed.starts_at <= self.now
        )
