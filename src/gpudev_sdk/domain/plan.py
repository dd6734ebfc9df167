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


@attrs.frozen(kw_only=True)
class Holding:
    """Slots of a bin that a reservation holds, until when; None is never free again, for all that is known."""

    backend: str
    node: str
    gpu_type: str
    slots: int
    until: dt.datetime | None


@attrs.frozen(kw_only=True)
class Waiting:
    """One request in line."""

    reservation_id: uuid.UUID
    gpu_type: str
    slots: int
    #: How long it will hold its slots: granted + grace + stop allowance.
    lasts: dt.timedelta
    priority: int
    seq: int
    backend: str | None = None
    #: Only this node can have it (its disk lies there), or None.
    node: str | None = None
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
    node: str | None = None
    #: What it waits for, in words.
    waiting_for: str = ""


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
