"""A machine that its cloud takes back: until when a box may stay on it, and what its terminals are told. Pure.

A notice can be shorter than our grace (30 s on some clouds), so no warning is waited for while a disk can still be saved.
"""

from __future__ import annotations

import datetime as dt

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.reservation import Reservation
from gpudev_sdk.providers.scaling import Interruption


def leave_at(taken: Interruption, limits: Limits) -> dt.datetime | None:
    """Return from when on nobody may stay: a grace, and what stopping takes, before it goes. None where that was not said."""
    return None if taken.at is None else taken.at - limits.grace - limits.stop_allowance


def must_leave(taken: Interruption, now: dt.datetime, limits: Limits) -> bool:
    """Say whether a box on it has to end now."""
    leave = leave_at(taken, limits)
    return leave is not None and leave <= now


def why(taken: Interruption) -> str:
    """Say why an attempt left, for its history."""
    return f"its machine is taken back: {taken.reason or 'its cloud says no reason'}"


def notice(row: Reservation, taken: Interruption, now: dt.datetime, limits: Limits) -> str:
    """Return the line for every terminal."""
    leave = leave_at(taken, limits)
    if leave is None:
        when = "when it goes"
    else:
        when = "now" if leave <= now else f"at {leave.astimezone(dt.UTC):%H:%M} UTC"
    kept = "Its disk is kept." if row.disk_id is not None else "It has no disk: nothing in it is kept."
    return f"gpudev: its machine is taken back; {row.name} ends {when}. {kept}\n"
