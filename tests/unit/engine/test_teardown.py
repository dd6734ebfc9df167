"""The order of a teardown: the server gone, GPUs freed, the disk detached, its snapshot complete, the disk released, the end."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState, VolumeSighting
from gpudev_sdk.domain.reservation import EndReason, Reservation, State
from gpudev_sdk.engine.decide import SNAPSHOT_TRIES, decide
from gpudev_sdk.engine.steps import (
    BeginSnapshot,
    MarkDetached,
    MarkGone,
    Move,
    NoteSnapshot,
    ReleaseDisk,
    Rest,
    SkipSnapshot,
    Terminate,
)
from gpudev_sdk.engine.world import EndSnapshot
from tests.unit.engine.make import ABSENT, LIMITS, NOW, UNKNOWN, ready, row, world

DISK, VOLUME, SNAPSHOT = (uuid.UUID(int=number) for number in (21, 22, 23))


def stopping(**fields: object) -> Reservation:
    made = row(State.STOPPING, end_reason=EndReason.CANCELLED, launch_intended_at=NOW, disk_id=DISK, volume_id=VOLUME)
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]


def volume(*attachments: str, presence: str = "present") -> VolumeSighting:
    return VolumeSighting(volume_id=VOLUME, presence=presence, attachments=attachments)


def snapshot(state: SnapshotState | None, seen: str | None = None, *, tries: int = 1) -> EndSnapshot:
    sighting = None
    if seen is not None:
        done = SnapshotState(seen) if seen in ("pending", "completed", "error") else None
        sighting = SnapshotSighting(snapshot_id=SNAPSHOT, presence="present" if done else seen, state=done)
    return EndSnapshot(snapshot_id=SNAPSHOT, state=state, sighting=sighting, tries=tries)


GONE = {"tombstoned_at": NOW, "gone_at": NOW}
DETACHED = GONE | {"detached_at": NOW}
BEGUN = DETACHED | {"end_snapshot_id": SNAPSHOT}


def test_a_tombstone_comes_before_anything_is_believed_gone():
    assert decide(stopping(), world(sighting=ABSENT), LIMITS) == Terminate()


def test_what_is_still_there_is_asked_to_end_again():
    asked = decide(stopping(tombstoned_at=NOW), world(sighting=ready()), LIMITS)
    assert asked == Terminate(dt.timedelta(milliseconds=200))


@pytest.mark.parametrize(("seconds", "patience"), [(0, 0.2), (2, 0.2), (5, 0.5), (60, 1)])
def test_the_longer_it_takes_to_end_the_less_often_it_is_asked_and_at_least_once_a_second(seconds, patience):
    asked_at = NOW - dt.timedelta(seconds=seconds)
    asked = decide(stopping(tombstoned_at=asked_at), world(sighting=ready()), LIMITS)
    assert asked == Terminate(dt.timedelta(seconds=patience))


def test_what_a_person_has_to_look_at_is_asked_to_end_every_five_seconds():
    stuck = stopping(tombstoned_at=NOW, needs_attention="stopping for more than 15 min")
    assert decide(stuck, world(sighting=ready()), LIMITS) == Terminate(dt.timedelta(seconds=5))


@pytest.mark.parametrize(
    ("seen", "told"),
    [(ready(reason="its node was deleted"), "the server is still there: its node was deleted"), (ready(), "earlier"),
     (UNKNOWN, "earlier"), (ABSENT, "earlier")],
)  # fmt: skip
def test_a_person_is_told_what_is_seen_now_and_not_what_held_it_up_before(seen, told):
    late = stopping(tombstoned_at=NOW, detail="earlier", state_deadline=NOW)
    asked = decide(late, world(sighting=seen), LIMITS)
    assert asked.why.endswith(f": {told}")


def test_unknown_is_never_gone():
    assert isinstance(decide(stopping(tombstoned_at=NOW), world(sighting=UNKNOWN), LIMITS), Rest)


def test_gone_is_seen_and_not_guessed():
    assert decide(stopping(tombstoned_at=NOW), world(sighting=ABSENT), LIMITS) == MarkGone()


def test_what_was_never_launched_needs_no_look():
    never = row(State.STOPPING, end_reason=EndReason.CANCELLED)
    assert decide(never, world(), LIMITS) == MarkGone()


def test_no_snapshot_while_something_may_write():
    assert isinstance(decide(stopping(**GONE), world(volume=volume("box")), LIMITS), Rest)


def test_unknown_attachments_are_no_detachment():
    unknown = attrs.evolve(volume(), attachments=None)
    assert isinstance(decide(stopping(**GONE), world(volume=unknown), LIMITS), Rest)


def test_a_volume_that_cannot_be_seen_is_no_detachment():
    assert isinstance(decide(stopping(**GONE), world(volume=volume(presence="unknown")), LIMITS), Rest)


def test_detached_is_recorded_first():
    assert decide(stopping(**GONE), world(volume=volume()), LIMITS) == MarkDetached()


def test_the_snapshot_follows_the_detach():
    assert decide(stopping(**DETACHED), world(volume=volume()), LIMITS) == BeginSnapshot()


def test_the_disk_stays_leased_until_the_snapshot_is_complete():
    pending = world(volume=volume(), snapshot=snapshot(None, "pending"))
    assert isinstance(decide(stopping(**BEGUN), pending, LIMITS), Rest)


def test_a_complete_snapshot_is_recorded_before_the_disk_goes():
    complete = world(volume=volume(), snapshot=snapshot(None, "completed"))
    assert decide(stopping(**BEGUN), complete, LIMITS) == NoteSnapshot()


def test_the_disk_is_released_when_the_snapshot_is_on_record():
    recorded = world(volume=volume(), snapshot=snapshot(SnapshotState.COMPLETED))
    assert decide(stopping(**BEGUN), recorded, LIMITS) == ReleaseDisk()


def test_a_failed_snapshot_is_tried_again():
    failed = world(volume=volume(), snapshot=snapshot(SnapshotState.ERROR))
    assert decide(stopping(**BEGUN), failed, LIMITS) == BeginSnapshot()


def test_after_several_failures_the_volume_is_kept_and_somebody_told():
    failed = world(volume=volume(), snapshot=snapshot(SnapshotState.ERROR, tries=SNAPSHOT_TRIES))
    step = decide(stopping(**BEGUN), failed, LIMITS)
    assert isinstance(step, SkipSnapshot)
    assert step.attend


def test_a_stop_that_takes_too_long_still_has_its_snapshot():
    late = {"needs_attention": "stopping for more than 30m"}
    assert decide(stopping(**DETACHED, **late), world(volume=volume()), LIMITS) == BeginSnapshot()
    pending = world(volume=volume(), snapshot=snapshot(None, "pending"))
    assert isinstance(decide(stopping(**BEGUN, **late), pending, LIMITS), Rest)


def test_ended_comes_last():
    done = stopping(**BEGUN, disk_released_at=NOW, end_detail="cancelled")
    assert decide(done, world(), LIMITS) == Move(State.ENDED, detail="cancelled")


def test_an_attempt_without_a_reason_goes_back_in_line():
    back = stopping(**BEGUN, disk_released_at=NOW, end_reason=None, end_detail="no room after all")
    assert decide(back, world(), LIMITS) == Move(State.QUEUED, detail="back in line: no room after all")


def test_a_cancel_during_the_teardown_of_an_attempt_ends_it():
    cancelled = stopping(**BEGUN, disk_released_at=NOW, end_reason=None, cancel_requested_at=NOW)
    assert decide(cancelled, world(), LIMITS) == Move(State.ENDED, EndReason.CANCELLED, "cancelled")
