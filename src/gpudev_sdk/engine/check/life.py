"""I-3, I-4 and I-18: every row goes its way, leaves a trace of each move, and a cancel is honoured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from gpudev_sdk.domain.reservation import MOVES, State
from gpudev_sdk.engine.check.tables import EventRow, ReservationRow
from gpudev_sdk.engine.check.values import REPORT, Case, Violation, last

#: Twice the time between two sweeps: what is due is done within it.
SLACK = dt.timedelta(seconds=30)
CANCELLED_WITHIN = dt.timedelta(minutes=2)


def no_state_lasts(case: Case) -> Iterator[Violation]:
    """I-3: a live row has a deadline, and passes it only with somebody asked to look."""
    for row in case.tables.reservations:
        if row.state == "ended":
            continue
        if row.state_deadline is None:
            yield _overdue(row, f"{row.label} is {row.state} without a deadline")
        elif case.now > row.state_deadline + SLACK and row.needs_attention is None and row.down_since is None:
            yield _overdue(
                row, f"{row.label} is {row.state} since {row.state_since:%F %T}: {row.detail or 'no reason known'}"
            )


def _overdue(row: ReservationRow, what: str) -> Violation:
    step = f"Look at its history (gpudev show {row.name}) and at the server's log; a restart of gpudev loses nothing."
    return Violation(law="I-3", what=what, next_step=step, key=f"I-3:{row.id}:{row.state}")


def history_is_whole(case: Case) -> Iterator[Violation]:
    """I-4: the history has every generation, goes only along the graph, ends in the row's state, and ends for good."""
    for row, events in case.told():
        for why in _gaps(row, events):
            yield Violation(law="I-4", what=f"{row.label}: {why}", next_step=REPORT, key=f"I-4:{row.id}")
            break


def _gaps(row: ReservationRow, events: list[EventRow]) -> Iterator[str]:
    if [event.generation for event in events] != list(range(1, row.generation + 1)):
        yield f"its history does not have each of its {row.generation} generations once"
    before: str | None = None
    for event in events:
        if event.from_state != before:
            yield f"entry {event.generation} goes on from {event.from_state} and the one before left it {before}"
        if before is not None and event.to_state != before and State(event.to_state) not in MOVES[State(before)]:
            yield f"entry {event.generation} moves from {before} to {event.to_state}"
        if before == "ended":
            yield f"entry {event.generation} comes after its end"
        before = event.to_state
    if before != row.state:
        yield f"it is {row.state} and its history says {before}"


def cancel_is_honoured(case: Case) -> Iterator[Violation]:
    """I-18: nothing becomes active, or gets a place, after its owner took it back."""
    for row, events in case.told():
        cancel = last(events, "cancel")
        if cancel is None:
            continue
        late = [event for event in events if event.generation > cancel.generation and event.what in _STARTS]
        if late:
            what = f"{row.label} was cancelled and then went {late[0].what}"
            yield Violation(law="I-18", what=what, next_step=REPORT, key=f"I-18:{row.id}")


_STARTS = ("to-preparing", "to-active")


def cancel_takes_two_minutes(case: Case) -> Iterator[Violation]:
    """I-18: two minutes after a cancel its server is gone."""
    for row in case.tables.reservations:
        asked = row.cancel_requested_at
        if asked is None or row.state == "ended" or row.gone_at is not None:
            continue
        if case.now > asked + CANCELLED_WITHIN + SLACK:
            what = f"{row.label} was cancelled at {asked:%F %T} and is {row.state}: {row.detail or 'no reason known'}"
            step = "See what is in the way; where its node is gone for good, say so to the backend."
            yield Violation(law="I-18", what=what, next_step=step, key=f"I-18b:{row.id}")
