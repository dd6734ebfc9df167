"""The next step of one reservation, from its row, what was seen, and the time. Pure: one function a state.

Nothing here is remembered between calls: a lost, doubled or late message, a crash or a second processor all lead to the
same question being asked again. Unknown is never taken for absent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.reservation import EndReason, Reservation, State
from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.domain.times import format_duration
from gpudev_sdk.engine import taken
from gpudev_sdk.engine.steps import (
    Attend,
    BeginSnapshot,
    Configure,
    Credit,
    EnsureVolume,
    Launch,
    Leave,
    MarkDetached,
    MarkGone,
    Move,
    NoteDown,
    NoteEndpoint,
    NoteShown,
    NoteSnapshot,
    ReleaseDisk,
    Rest,
    SkipSnapshot,
    Step,
    Terminate,
    Warn,
)
from gpudev_sdk.engine.world import World

SOON = dt.timedelta(milliseconds=50)
SECOND = dt.timedelta(seconds=1)
LOOK_AGAIN = dt.timedelta(seconds=5)
#: An active box is looked at this often when nothing is due.
ACTIVE_LOOK = dt.timedelta(seconds=10)
SNAPSHOT_TRIES = 3
#: What waits for a person, or for an adoption, is looked at this often; whatever happens to it wakes it.
HELD_BACK = dt.timedelta(minutes=1)


def decide(row: Reservation, world: World, limits: Limits) -> Step:
    """Return the next step of `row`. Where we may not act, nothing is decided either: the row may be older than the world."""
    if world.paused is not None:
        return Rest(HELD_BACK, f"{row.backend}: {world.paused}")
    return _BY_STATE[row.state](row, world, limits)


def _cancelled(row: Reservation) -> Step | None:
    if row.cancel_requested_at is None:
        return None
    return Move(State.STOPPING, EndReason.CANCELLED, "cancelled")


def _give_up(row: Reservation, limits: Limits, why: str) -> Step:
    last = row.failures + 1 >= limits.max_attempts
    return Move(State.STOPPING, EndReason.FAILED if last else None, why, failed_attempt=True)


def _queued(row: Reservation, world: World, limits: Limits) -> Step:
    cancelled = _cancelled(row)
    if cancelled is not None:
        return cancelled
    assert row.state_deadline is not None  # a CHECK of the table
    if row.needs_attention is not None:
        return Rest(HELD_BACK)
    if world.now >= row.state_deadline:
        waited = format_duration(row.state_deadline - row.created_at)
        return Move(State.STOPPING, EndReason.FAILED, f"found no room in {waited}")
    return Rest(row.state_deadline - world.now)


def _preparing(row: Reservation, world: World, limits: Limits) -> Step:
    cancelled = _cancelled(row)
    if cancelled is not None:
        return cancelled
    assert row.state_deadline is not None  # a CHECK of the table
    if world.now >= row.state_deadline:
        return _give_up(row, limits, f"did not come up in {format_duration(limits.max_preparing)}")
    if world.taken is not None:
        # The machine's fault, so it counts against nobody.
        return Move(State.STOPPING, None, taken.why(world.taken))
    if row.disk_id is not None and not world.volume_ready:
        return EnsureVolume()
    seen = world.sighting
    if seen is None or seen.presence is Presence.UNKNOWN:
        return Rest(SECOND, f"cannot tell how far the server is: {seen.reason if seen else 'not looked at'}")
    if seen.presence is Presence.ABSENT or seen.incomplete:
        return Launch()
    return _coming_up(row, world, limits, seen)


def _coming_up(row: Reservation, world: World, limits: Limits, seen: Sighting) -> Step:
    if seen.phase is Phase.FINISHED:
        return _give_up(row, limits, f"the server ended while it was brought up: {seen.reason}")
    if seen.phase is not Phase.READY or seen.endpoint is None:
        waited = world.now - row.state_since
        return Rest(min(SECOND, max(SOON, waited / 10)), seen.reason or "starting the server")
    if seen.files_digest != world.wanted_files:
        return Configure()
    return Move(State.ACTIVE, detail="ready")


def _active(row: Reservation, world: World, limits: Limits) -> Step:
    cancelled = _cancelled(row)
    if cancelled is not None:
        return cancelled
    over = _over(row, world, limits)
    if over is not None:
        return over
    if world.taken is not None and taken.must_leave(world.taken, world.now, limits):
        return Leave(taken.why(world.taken))
    seen = world.sighting
    if seen is not None and seen.presence is Presence.ABSENT:
        return _lost(row, world, seen)
    if seen is not None and seen.phase is Phase.FINISHED:
        return Move(State.STOPPING, EndReason.FAILED, f"the box ended: {seen.reason or 'no reason given'}")
    if seen is not None and seen.incomplete:
        return Move(State.STOPPING, EndReason.FAILED, f"a part of the box is gone: {seen.reason}")
    warning = _due_warning(row, world, limits)
    if warning is not None:
        return warning
    if seen is None or seen.presence is Presence.UNKNOWN:
        why = f"cannot tell how the box is: {seen.reason if seen else 'not looked at'}"
        return Rest(min(LOOK_AGAIN, _until_next(row, world, limits)), why)
    return _kept_up(row, world, limits, seen)


def _kept_up(row: Reservation, world: World, limits: Limits, seen: Sighting) -> Step:
    if seen.phase is not Phase.READY:
        return Rest(SECOND, seen.reason or "the box does not answer")
    if row.down_since is not None:
        return Credit(max(world.now - row.down_since, dt.timedelta()))
    if seen.endpoint != row.endpoint:
        return NoteEndpoint(seen.endpoint)
    if seen.files_digest != world.wanted_files:
        return Configure()
    if row.ending_notice_served is not None and not row.ending_notice_shown:
        return NoteShown()
    return Rest(_until_next(row, world, limits), seen.reason or "ready")


def _lost(row: Reservation, world: World, seen: Sighting) -> Step:
    if not seen.rebooted:
        return Move(State.STOPPING, EndReason.FAILED, f"the box is gone: {seen.reason or 'its process ended'}")
    if row.down_since is None:
        return NoteDown()
    assert row.expires_at is not None  # a CHECK of the table
    if row.expires_at <= row.down_since:
        return Move(State.STOPPING, EndReason.EXPIRED, "its time was up when the machine restarted")
    return Launch()


def _over(row: Reservation, world: World, limits: Limits) -> Step | None:
    """Return the end by time, which needs a notice that stood for a full grace of served time."""
    assert row.expires_at is not None  # a CHECK of the table
    if world.now < row.expires_at or row.down_since is not None:
        return None
    if row.ending_notice_served is None or dt.timedelta() not in world.warned:
        return None
    if world.served.seconds - row.ending_notice_served < limits.grace.total_seconds():
        return None
    if not row.ending_notice_shown and _can_be_told(world.sighting):
        return None
    return Move(State.STOPPING, EndReason.EXPIRED, "its time was up")


def _can_be_told(seen: Sighting | None) -> bool:
    """Say whether a notice can still reach the box, now or when it can be seen again."""
    return seen is None or seen.presence is Presence.UNKNOWN or seen.phase is Phase.READY


def thresholds(granted: dt.timedelta, limits: Limits) -> tuple[dt.timedelta, ...]:
    """Return the warnings that a reservation of this length gets, the ending notice (zero) last."""
    early = sorted((warning for warning in limits.warnings if warning < granted), reverse=True)
    return (*early, dt.timedelta())


def _due_warning(row: Reservation, world: World, limits: Limits) -> Step | None:
    assert row.expires_at is not None  # a CHECK of the table
    left = row.expires_at - world.now
    due = [threshold for threshold in thresholds(row.granted, limits) if left <= threshold]
    # After an outage only the nearest of several is worth showing.
    if not due or row.down_since is not None or min(due) in world.warned:
        return None
    return Warn(min(due))


def _until_next(row: Reservation, world: World, limits: Limits) -> dt.timedelta:
    assert row.expires_at is not None  # a CHECK of the table
    left = row.expires_at - world.now
    if left <= dt.timedelta():
        return max(SECOND, min(LOOK_AGAIN, _grace_left(row, world, limits)))
    coming = [left - threshold for threshold in thresholds(row.granted, limits) if left > threshold]
    return min(ACTIVE_LOOK, *coming) if coming else min(ACTIVE_LOOK, left)


def _grace_left(row: Reservation, world: World, limits: Limits) -> dt.timedelta:
    stood = world.served.seconds - (row.ending_notice_served or world.served.seconds)
    return limits.grace - dt.timedelta(seconds=stood)


def _stopping(row: Reservation, world: World, limits: Limits) -> Step:
    assert row.state_deadline is not None  # a CHECK of the table
    if world.now >= row.state_deadline and row.needs_attention is None:
        return Attend(f"stopping for more than {format_duration(limits.stopping_overdue)}: {_held_up_by(row, world)}")
    if row.gone_at is None:
        return _server_going(row, world)
    if row.disk_id is not None and row.disk_released_at is None:
        return _disk_going(row, world)
    if row.end_reason is not None:
        return Move(State.ENDED, detail=row.end_detail)
    if row.cancel_requested_at is not None:
        return Move(State.ENDED, EndReason.CANCELLED, "cancelled")
    return Move(State.QUEUED, detail=f"back in line: {row.end_detail}")


def _held_up_by(row: Reservation, world: World) -> str | None:
    """Return what a person is to know of an end that takes long: what is seen now counts more than what was told before."""
    seen = world.sighting
    if row.gone_at is None and seen is not None and seen.presence is Presence.PRESENT and seen.reason:
        return f"the server is still there: {seen.reason}"
    return row.detail


def _server_going(row: Reservation, world: World) -> Step:
    if row.launch_intended_at is None:
        return MarkGone()
    seen = world.sighting
    if row.tombstoned_at is None:
        return Terminate()
    if seen is None or seen.presence is Presence.UNKNOWN:
        return Rest(SECOND, f"cannot tell whether the server is gone: {seen.reason if seen else 'not looked at'}")
    return MarkGone() if seen.presence is Presence.ABSENT else Terminate(_patience(row, world))


def _patience(row: Reservation, world: World) -> dt.timedelta:
    """Return how long a server that was asked to end is left to do so; one that ends only by a person's hand may take days."""
    assert row.tombstoned_at is not None  # it was asked before
    if row.needs_attention is not None:
        return LOOK_AGAIN
    return min(SECOND, max(SOON * 4, (world.now - row.tombstoned_at) / 10))


def _disk_going(row: Reservation, world: World) -> Step:
    if row.volume_id is None or (row.launch_intended_at is None and row.end_snapshot_id is None):
        return ReleaseDisk()
    seen = world.volume
    if row.detached_at is None:
        if seen is None or seen.presence != Presence.PRESENT or seen.attachments is None:
            return Rest(LOOK_AGAIN, f"cannot tell whether the disk is free: {seen.reason if seen else 'not looked at'}")
        return MarkDetached() if not seen.attachments else Rest(SECOND, "waiting for the disk to be let go")
    if row.snapshot_skipped is not None:
        return ReleaseDisk()
    return _snapshot_going(row, world)


def _snapshot_going(row: Reservation, world: World) -> Step:
    snapshot = world.snapshot
    if row.end_snapshot_id is None or snapshot is None:
        return BeginSnapshot()
    if snapshot.state is SnapshotState.COMPLETED:
        return ReleaseDisk()
    if snapshot.state is SnapshotState.ERROR:
        if snapshot.tries >= SNAPSHOT_TRIES:
            return SkipSnapshot("the snapshot failed; the volume itself is kept", attend=True)
        return BeginSnapshot()
    seen = snapshot.sighting
    if seen is None or seen.presence == Presence.UNKNOWN:
        return Rest(LOOK_AGAIN, "cannot tell how far the snapshot is")
    if seen.presence == Presence.ABSENT:
        return BeginSnapshot()
    if seen.state in (SnapshotState.COMPLETED, SnapshotState.ERROR):
        return NoteSnapshot()
    waited = world.now - row.state_since
    return Rest(min(LOOK_AGAIN, max(SOON, waited / 10)), "the disk's snapshot is being taken")


def _ended(row: Reservation, world: World, limits: Limits) -> Step:
    raise ValueError(f"reservation {row.id} ended; nothing is decided about it")


_BY_STATE: dict[State, Callable[[Reservation, World, Limits], Step]] = {
    State.QUEUED: _queued,
    State.PREPARING: _preparing,
    State.ACTIVE: _active,
    State.STOPPING: _stopping,
    State.ENDED: _ended,
}
