"""I-12, I-13 and I-14: time is what was granted, nobody is ended early, and everybody is warned."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from gpudev_sdk.engine.check.tables import EventRow, ReservationRow, WarningRow
from gpudev_sdk.engine.check.values import REPORT, Case, Violation, last, steady

#: Times written by different statements of one step differ by this much at most.
SLACK = dt.timedelta(seconds=1)


def nobody_is_ended_early(case: Case) -> Iterator[Violation]:
    """I-12: an end by time comes after the end, and after a notice that stood for a full grace."""
    for row, events in case.told():
        stopping = last(events, "to-stopping")
        if stopping is None or stopping.from_state != "active" or not steady(events):
            continue
        why = _early(case, row, stopping) if row.end_reason == "expired" else _unexplained(row)
        if why is not None:
            yield Violation(law="I-12", what=f"{row.label} {why}", next_step=REPORT, key=f"I-12:{row.id}")


def _unexplained(row: ReservationRow) -> str | None:
    explained = row.end_reason == "cancelled" or row.end_detail
    return None if explained else f"was active and ended ({row.end_reason}) without a cause"


def _early(case: Case, row: ReservationRow, stopping: EventRow) -> str | None:
    if row.expires_at is None or stopping.at < row.expires_at:
        return f"had until {row.expires_at} and was ended at {stopping.at}"
    if row.down_since is not None:
        # Its machine restarted when its time was up already: there was nobody to warn.
        return None
    notices = [one for one in _of_this_end(case, row) if one.threshold == 0]
    if not notices:
        return f"was ended at {stopping.at} without an ending notice"
    shown = max(notices, key=lambda one: one.gaps).at
    if stopping.at + SLACK < shown + case.limits.grace:
        return f"was ended {(stopping.at - shown).total_seconds():.0f} s after its ending notice"
    return None


def _of_this_end(case: Case, row: ReservationRow) -> list[WarningRow]:
    return [one for one in case.warnings.get(row.id, []) if one.expires_at == row.expires_at]


def warnings_come_once(case: Case) -> Iterator[Violation]:
    """I-13: each warning at most once for each end, none before its time."""
    for row in case.tables.reservations:
        for why, threshold in _wrong_warnings(case, row):
            key = f"I-13:{row.id}:{threshold}"
            yield Violation(law="I-13", what=f"{row.label}: {why}", next_step=REPORT, key=key)


def _wrong_warnings(case: Case, row: ReservationRow) -> Iterator[tuple[str, int]]:
    given = case.warnings.get(row.id, [])
    counts = Counter((one.threshold, one.expires_at, one.gaps if one.threshold == 0 else 0) for one in given)
    for (threshold, expires_at, _), count in counts.items():
        if count > 1:
            yield f"the warning {threshold} s before {expires_at} was given {count} times", threshold
    for one in given:
        if one.at + SLACK < one.expires_at - dt.timedelta(seconds=one.threshold):
            yield f"the warning {one.threshold} s before {one.expires_at} came at {one.at}", one.threshold


def time_is_what_was_granted(case: Case) -> Iterator[Violation]:
    """I-14: the end is the start and what was granted, and waiting or starting up costs nothing."""
    for row in case.tables.reservations:
        why = _wrong_time(row, case.events.get(row.id, []))
        if why is not None:
            yield Violation(law="I-14", what=f"{row.label} {why}", next_step=REPORT, key=f"I-14:{row.id}")


def _wrong_time(row: ReservationRow, events: list[EventRow]) -> str | None:
    if row.started_at is None or row.expires_at is None:
        started = row.started_at is not None or row.expires_at is not None
        return "has a start without an end, or an end without a start" if started else None
    if abs((row.expires_at - row.started_at).total_seconds() - row.granted) > 1e-3:
        return f"lasts from {row.started_at} to {row.expires_at} and was granted {row.granted:.0f} s"
    placed = last(events, "to-preparing")
    if placed is not None and steady(events) and row.started_at < placed.at:
        return f"pays from {row.started_at} and had its place only at {placed.at}"
    return None
