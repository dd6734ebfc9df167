"""I-10: nobody was passed by a younger request that took a place the older could have had."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator

from gpudev_sdk.engine.check.tables import ReservationRow
from gpudev_sdk.engine.check.values import REPORT, Case, Violation

#: Starts are looked at for as long as the rows that explain them are read.
LOOKED_BACK = dt.timedelta(hours=1)
#: A request that came while a plan was being made is in the next.
PLANNING = dt.timedelta(seconds=5)


def nobody_is_passed(case: Case) -> Iterator[Violation]:
    """I-10: an older request of the same type, no larger, no longer, and tied to nothing, starts first.

    What is tied to a disk, a backend, a name in use or a retry may lawfully be passed, so it is left out.
    """
    waiting = [row for row in case.tables.reservations if _free_to_go(row)]
    if not waiting:
        return
    names = _names(case)
    for younger, placed_at in _starts(case):
        for older in waiting:
            if _could_have_gone(older, younger, placed_at) and _name_was_free(names, older, placed_at):
                waits = f"{older.label} waits since {older.state_since:%F %T}"
                what = f"{waits} and {younger.label} started at {placed_at:%F %T}"
                key = f"I-10:{older.id}:{younger.id}"
                yield Violation(law="I-10", what=what, next_step=REPORT, key=key)


def _free_to_go(row: ReservationRow) -> bool:
    tied = row.disk_id is not None or row.wished_disk is not None or row.wished_backend is not None
    return row.state == "queued" and not tied and row.cancel_requested_at is None


def _starts(case: Case) -> Iterator[tuple[ReservationRow, dt.datetime]]:
    since = case.now - LOOKED_BACK
    for row, events in case.told():
        for event in events:
            if event.what == "to-preparing" and event.at >= since:
                yield row, event.at


def _before(older: ReservationRow, younger: ReservationRow) -> bool:
    return (-older.priority, older.seq) < (-younger.priority, younger.seq)


def _could_have_gone(older: ReservationRow, younger: ReservationRow, placed_at: dt.datetime) -> bool:
    # Whole nodes of one size may be on one backend, and those of another on another.
    smaller = (
        older.slots_needed == younger.slots_needed if older.nodes > 1 else older.slots_needed <= younger.slots_needed
    )
    fits = older.gpu_type == younger.gpu_type and smaller and older.nodes <= younger.nodes
    in_line = older.state_since + PLANNING < placed_at
    retries = older.retry_at is not None and older.retry_at >= placed_at
    # An extension since then made the younger's time longer, and what it was placed by was at least what it asked for.
    return _before(older, younger) and fits and in_line and not retries and older.granted <= younger.asked


def _names(case: Case) -> dict[tuple[uuid.UUID, str], list[ReservationRow]]:
    names: dict[tuple[uuid.UUID, str], list[ReservationRow]] = defaultdict(list)
    for row in case.tables.reservations:
        names[row.owner_id, row.name].append(row)
    return names


def _name_was_free(
    names: dict[tuple[uuid.UUID, str], list[ReservationRow]], older: ReservationRow, at: dt.datetime
) -> bool:
    others = [row for row in names[older.owner_id, older.name] if row.id != older.id]
    return all(row.ended_at is not None and row.ended_at < at for row in others)
