"""I-17: what people are told about availability follows from the rows that are allocated from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from gpudev_sdk.engine.check.tables import SlotRow, Tables
from gpudev_sdk.engine.check.values import Case, Violation
from gpudev_sdk.engine.check.world import Answer, Count
from gpudev_sdk.wire.views import AvailabilityView

STALE = dt.timedelta(seconds=5)


def counted(tables: Tables) -> dict[tuple[str, str], Count]:
    """Count the slots that there are and that are free, and who waits, by (backend, GPU type) of the catalogue."""
    paused = {backend.name for backend in tables.backends if backend.paused is not None}
    return {place: _count(tables, place, known=place[0] not in paused) for place in tables.types}


def _count(tables: Tables, place: tuple[str, str], *, known: bool) -> Count:
    slots = [slot for slot in tables.slots if known and slot.present and (slot.backend, slot.gpu_type) == place]
    waiting = [row for row in tables.reservations if row.state == "queued" and row.gpu_type == place[1]]
    return Count(
        total=sum(len(slot.indices) for slot in slots),
        free=sum(len(slot.indices) for slot in slots if _free(slot)),
        queued=sum(row.wished_backend in (None, place[0]) for row in waiting),
    )


def _free(slot: SlotRow) -> bool:
    return slot.schedulable and not slot.busy and slot.reservation_id is None


def answered(view: AvailabilityView) -> Answer:
    """Return what an answer of the API says, in the form that is compared."""
    counts = {
        (row.backend, row.gpu_type): Count(total=row.total, free=row.free, queued=row.queued) for row in view.rows
    }
    return Answer(as_of=view.as_of, counts=counts)


def answers_follow_the_rows(case: Case) -> Iterator[Violation]:
    """I-17: an answer given at this moment is what the rows say, and is at most 5 seconds old."""
    answer = case.world.record.answer if case.world.record else None
    if answer is None:
        return
    step = "Report this; `gpudev admin doctor` and `gpudev avail` disagree."
    if case.tables.as_of > answer.as_of + STALE:
        what = f"availability of {answer.as_of} was given at {case.tables.as_of}"
        yield Violation(law="I-17", what=what, next_step=step, key="I-17:stale")
    rows = counted(case.tables)
    for place in sorted(set(rows) | set(answer.counts)):
        if rows.get(place) != answer.counts.get(place):
            what = f"{'/'.join(place)}: people are told {answer.counts.get(place)} and the rows say {rows.get(place)}"
            yield Violation(law="I-17", what=what, next_step=step, key=f"I-17:{'/'.join(place)}")
