"""Writes the moves between states: what each one sets and forgets. Every move is one transaction with its event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from gpudev_sdk.domain.reservation import Reservation, State
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.look import Look
from gpudev_sdk.engine.steps import Move
from gpudev_sdk.store import bell
from gpudev_sdk.store.reservations import NOW, Entry, Q, after_now, record
from gpudev_sdk.store.rows import Conn

#: What belongs to one attempt, and starts afresh with the next.
FRESH_ATTEMPT: dict[str, object] = dict.fromkeys(
    (
        "backend", "node", "endpoint", "files_digest", "launch_intended_at", "tombstoned_at", "gone_at", "detached_at",
        "volume_id", "end_snapshot_id", "snapshot_skipped", "disk_released_at", "needs_attention", "started_at",
        "expires_at", "ending_notice_served", "ending_notice_gaps", "down_since",
    )
) | {"ending_notice_shown": False}  # fmt: skip
LONGEST_RETRY = dt.timedelta(minutes=5)


def move(conn: Conn, engine: Engine, look: Look, step: Move, actor: str) -> None:
    """Move the row to `step.to`."""
    changes: dict[str, object] = {"state": step.to, "state_since": NOW, "detail": step.detail or look.row.detail}
    changes |= _INTO[step.to](engine, look, step)
    record(conn, look.row, changes, Entry(what=f"to-{step.to}", actor=actor, detail=step.detail))
    if step.to is State.ENDED:
        conn.execute(Q["erase_secrets"], {"id": look.row.id})
    bell.ring(conn, "reservation", look.row.id)
    bell.ring(conn, "access")
    bell.want_plan(conn)


def _into_active(engine: Engine, look: Look, step: Move) -> dict[str, object]:
    seen, row = look.world.sighting, look.row
    assert seen is not None  # decide moves to active only on a sighting
    return {
        # Of the record and not of the look, which may be a while ago: the paid time begins when one can get in.
        "started_at": NOW,
        "expires_at": after_now(row.granted),
        "state_deadline": after_now(row.granted + engine.limits.grace + engine.limits.stopping_overdue),
        "endpoint": seen.endpoint,
        "files_digest": seen.files_digest,
    }


def _into_stopping(engine: Engine, look: Look, step: Move) -> dict[str, object]:
    changes: dict[str, object] = {
        "state_deadline": after_now(engine.limits.stopping_overdue),
        "end_reason": step.end_reason,
        "end_detail": step.detail,
    }
    if step.failed_attempt:
        changes["failures"] = look.row.failures + 1
    if step.end_reason is None:
        changes["retry_at"] = after_now(retry_delay(look.row))
    return changes


def retry_delay(row: Reservation) -> dt.timedelta:
    """Return how long an attempt that found no room stays out of the plan: longer with each."""
    return min(LONGEST_RETRY, dt.timedelta(seconds=2 ** min(row.attempt, 10)))


def _into_queued(engine: Engine, look: Look, step: Move) -> dict[str, object]:
    return FRESH_ATTEMPT | {"attempt": look.row.attempt + 1, "state_deadline": look.row.queue_deadline}


def _into_ended(engine: Engine, look: Look, step: Move) -> dict[str, object]:
    reason = look.row.end_reason or step.end_reason
    return {"ended_at": NOW, "end_reason": reason, "wake_at": None, "lease_holder": None, "lease_until": None,
            "endpoint": None}  # fmt: skip


_INTO: dict[State, Callable[[Engine, Look, Move], dict[str, object]]] = {
    State.ACTIVE: _into_active,
    State.STOPPING: _into_stopping,
    State.QUEUED: _into_queued,
    State.ENDED: _into_ended,
}
