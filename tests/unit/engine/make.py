"""Rows and worlds for tests of the pure rules."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.reservation import Reservation, State
from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.engine.world import Served, World

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
LIMITS = Limits.one_machine()
FILES = "digest-of-the-wanted-files"


def row(state: State, **fields: object) -> Reservation:
    """Return a reservation that has been in `state` for a minute."""
    made = Reservation(
        id=uuid.UUID(int=7),
        owner_id=uuid.UUID(int=1),
        owner="kim",
        owner_number=1,
        name="work",
        request=Request(gpu_type="h100", gpus=2, duration=4 * HOUR),
        state=state,
        generation=3,
        attempt=1,
        seq=11,
        created_at=NOW - HOUR,
        state_since=NOW - MINUTE,
        state_deadline=NOW + HOUR,
        queue_deadline=NOW + 47 * HOUR,
        granted=4 * HOUR,
        backend="local",
        node="box",
    )
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]


def active(left: dt.timedelta = 2 * HOUR, **fields: object) -> Reservation:
    """Return an active reservation that has `left` until its end."""
    granted = fields.pop("granted", 4 * HOUR)
    assert isinstance(granted, dt.timedelta)
    times = {"granted": granted, "expires_at": NOW + left, "started_at": NOW + left - granted}
    return row(State.ACTIVE, endpoint="unix:/box", launch_intended_at=NOW - HOUR, **times, **fields)


def world(**fields: object) -> World:
    """Return a world that was looked at now."""
    made = World(now=NOW, served=Served(seconds=1000.0, gaps=0, updated_at=NOW), wanted_files=FILES)
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]


def ready(**fields: object) -> Sighting:
    """Return the sighting of a box that answers and has its files."""
    made = Sighting(presence=Presence.PRESENT, phase=Phase.READY, endpoint="unix:/box", files_digest=FILES)
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]


def starting(reason: str = "", **fields: bool) -> Sighting:
    """Return the sighting of a box that does not answer yet."""
    return Sighting(presence=Presence.PRESENT, phase=Phase.STARTING, reason=reason, **fields)


def finished(reason: str) -> Sighting:
    """Return the sighting of a box that ended by itself."""
    return Sighting(presence=Presence.PRESENT, phase=Phase.FINISHED, reason=reason)


UNKNOWN = Sighting.unknown("no answer")
ABSENT = Sighting.absent("its process ended")
