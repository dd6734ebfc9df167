"""The laws of a reservation's next step."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import Sighting
from gpudev_sdk.engine.decide import decide, thresholds
from gpudev_sdk.engine.steps import (
    Attend,
    Configure,
    Credit,
    EnsureVolume,
    Launch,
    Move,
    NoteDown,
    NoteEndpoint,
    NoteShown,
    Rest,
    Warn,
)
from tests.unit.engine.make import (
    ABSENT,
    HOUR,
    LIMITS,
    MINUTE,
    NOW,
    UNKNOWN,
    active,
    finished,
    ready,
    row,
    starting,
    world,
)

ZERO = dt.timedelta()
EARLY = frozenset({30 * MINUTE, 15 * MINUTE, 5 * MINUTE})


class TestQueued:
    def test_waits_until_its_deadline(self):
        assert decide(row(State.QUEUED), world(), LIMITS) == Rest(HOUR)

    def test_fails_when_it_found_no_room_in_time(self):
        step = decide(row(State.QUEUED, state_deadline=NOW), world(), LIMITS)
        assert step == Move(State.STOPPING, EndReason.FAILED, "found no room in 1 h")

    def test_leaves_through_stopping_when_cancelled(self):
        step = decide(row(State.QUEUED, cancel_requested_at=NOW), world(), LIMITS)
        assert step == Move(State.STOPPING, EndReason.CANCELLED, "cancelled")


class TestPreparing:
    def test_brings_up_the_disk_before_it_launches(self):
        disk = row(State.PREPARING, disk_id=row(State.QUEUED).id)
        assert decide(disk, world(sighting=ABSENT), LIMITS) == EnsureVolume()

    def test_launches_only_when_nothing_is_there(self):
        assert decide(row(State.PREPARING), world(sighting=ABSENT), LIMITS) == Launch()

    def test_launches_again_what_is_there_in_part(self):
        part = starting("1 of 2 pods are there", incomplete=True)
        assert decide(row(State.PREPARING), world(sighting=part), LIMITS) == Launch()

    def test_takes_unknown_for_no_reason_to_launch(self):
        assert isinstance(decide(row(State.PREPARING), world(sighting=UNKNOWN), LIMITS), Rest)

    def test_looks_again_soon_while_the_box_comes_up(self):
        just_begun = row(State.PREPARING, state_since=NOW)
        step = decide(just_begun, world(sighting=starting("sshd starts")), LIMITS)
        assert step == Rest(dt.timedelta(milliseconds=50), "sshd starts")

    def test_never_lets_the_person_in_before_the_keys_are_there(self):
        assert decide(row(State.PREPARING), world(sighting=ready(files_digest="old")), LIMITS) == Configure()

    def test_becomes_active_when_the_box_answers(self):
        assert decide(row(State.PREPARING), world(sighting=ready()), LIMITS) == Move(State.ACTIVE, detail="ready")

    def test_never_becomes_active_after_a_cancel(self):
        step = decide(row(State.PREPARING, cancel_requested_at=NOW), world(sighting=ready()), LIMITS)
        assert step == Move(State.STOPPING, EndReason.CANCELLED, "cancelled")

    def test_goes_back_in_line_when_the_server_ended(self):
        step = decide(row(State.PREPARING), world(sighting=finished("exit 1")), LIMITS)
        assert step == Move(
            State.STOPPING, None, "the server ended while it was brought up: exit 1", failed_attempt=True
        )

    def test_fails_for_good_with_the_last_attempt(self):
        last = row(State.PREPARING, failures=LIMITS.max_attempts - 1)
        step = decide(last, world(sighting=finished("exit 1")), LIMITS)
        assert isinstance(step, Move)
        assert step.end_reason is EndReason.FAILED

    def test_gives_an_attempt_up_at_its_deadline_counted_from_preparing(self):
        late = row(State.PREPARING, created_at=NOW - 40 * HOUR, state_deadline=NOW)
        step = decide(late, world(sighting=starting()), LIMITS)
        assert step == Move(State.STOPPING, None, "did not come up in 1 h", failed_attempt=True)


class TestActive:
    def test_rests_until_something_is_due(self):
        assert decide(active(), world(sighting=ready()), LIMITS) == Rest(dt.timedelta(seconds=10), "ready")

    def test_wakes_for_the_next_warning(self):
        near = active(left=30 * MINUTE + dt.timedelta(seconds=4))
        assert decide(near, world(sighting=ready()), LIMITS) == Rest(dt.timedelta(seconds=4), "ready")

    @pytest.mark.parametrize("minutes", [30, 15, 5])
    def test_warns_at_each_threshold(self, minutes):
        warned = frozenset(threshold for threshold in EARLY if threshold > minutes * MINUTE)
        step = decide(active(left=minutes * MINUTE), world(sighting=ready(), warned=warned), LIMITS)
        assert step == Warn(minutes * MINUTE)

    def test_warns_once_each(self):
        step = decide(active(left=20 * MINUTE), world(sighting=ready(), warned=frozenset({30 * MINUTE})), LIMITS)
        assert isinstance(step, Rest)

    def test_shows_only_the_nearest_of_several_warnings_after_an_outage(self):
        assert decide(active(left=4 * MINUTE), world(sighting=ready()), LIMITS) == Warn(5 * MINUTE)

    def test_skips_warnings_longer_than_the_reservation(self):
        assert thresholds(10 * MINUTE, LIMITS) == (5 * MINUTE, ZERO)

    def test_shows_the_ending_notice_when_the_time_is_up(self):
        assert decide(active(left=ZERO), world(sighting=ready(), warned=EARLY), LIMITS) == Warn(ZERO)

    def test_ends_only_when_the_notice_stood_for_a_whole_grace(self):
        told = active(left=-HOUR, ending_notice_served=1000.0 - 119, ending_notice_shown=True)
        assert isinstance(decide(told, world(sighting=ready(), warned=EARLY | {ZERO}), LIMITS), Rest)

    def test_ends_when_the_notice_stood_for_a_whole_grace(self):
        told = active(left=-HOUR, ending_notice_served=1000.0 - 120, ending_notice_shown=True)
        step = decide(told, world(sighting=ready(), warned=EARLY | {ZERO}), LIMITS)
        assert step == Move(State.STOPPING, EndReason.EXPIRED, "its time was up")

    def test_the_grace_begins_when_the_notice_is_seen_in_the_box(self):
        told = active(left=-HOUR, ending_notice_served=1000.0 - 500)
        warned = EARLY | {ZERO}
        stale = ready(files_digest="without the notice")
        assert decide(told, world(sighting=stale, warned=warned), LIMITS) == Configure()
        assert decide(told, world(sighting=ready(), warned=warned), LIMITS) == NoteShown()

    @pytest.mark.parametrize("seen", [None, Sighting.unknown("the line is cut")])
    def test_does_not_end_untold_while_the_box_cannot_be_seen(self, seen):
        told = active(left=-HOUR, ending_notice_served=0.0)
        assert isinstance(decide(told, world(sighting=seen, warned=EARLY | {ZERO}), LIMITS), Rest)

    def test_a_box_that_hangs_ends_although_nobody_can_be_told(self):
        told = active(left=-HOUR, ending_notice_served=0.0)
        step = decide(told, world(sighting=starting(), warned=EARLY | {ZERO}), LIMITS)
        assert step == Move(State.STOPPING, EndReason.EXPIRED, "its time was up")

    def test_shows_the_notice_again_after_a_gap(self):
        told = active(left=-HOUR, ending_notice_served=0.0)
        assert decide(told, world(sighting=ready(), warned=EARLY), LIMITS) == Warn(ZERO)

    @pytest.mark.parametrize("seen", [ready(), starting()])
    def test_never_ends_by_time_without_a_notice(self, seen):
        assert decide(active(left=-100 * HOUR), world(sighting=seen, warned=EARLY), LIMITS) == Warn(ZERO)

    def test_ends_when_the_box_is_seen_gone(self):
        step = decide(active(), world(sighting=ABSENT), LIMITS)
        assert step == Move(State.STOPPING, EndReason.FAILED, "the box is gone: its process ended")

    def test_ends_when_a_part_of_the_box_is_seen_gone(self):
        step = decide(active(), world(sighting=starting("1 of 2 pods are there", incomplete=True)), LIMITS)
        assert step == Move(State.STOPPING, EndReason.FAILED, "a part of the box is gone: 1 of 2 pods are there")

    def test_goes_on_while_nothing_can_be_told(self):
        assert isinstance(decide(active(), world(sighting=UNKNOWN), LIMITS), Rest)

    def test_brings_new_keys_into_the_box(self):
        assert decide(active(), world(sighting=ready(files_digest="old")), LIMITS) == Configure()

    def test_notes_where_the_box_answers_now(self):
        step = decide(active(), world(sighting=ready(endpoint="unix:/other")), LIMITS)
        assert step == NoteEndpoint("unix:/other")


class TestAfterAReboot:
    rebooted = Sighting.absent("the machine restarted", rebooted=True)

    def test_notes_first_since_when_the_box_is_down(self):
        assert decide(active(), world(sighting=self.rebooted), LIMITS) == NoteDown()

    def test_launches_the_same_attempt_again(self):
        down = active(down_since=NOW - MINUTE)
        assert decide(down, world(sighting=self.rebooted), LIMITS) == Launch()

    def test_gives_the_lost_time_back(self):
        down = active(down_since=NOW - 10 * MINUTE)
        assert decide(down, world(sighting=ready()), LIMITS) == Credit(10 * MINUTE)

    def test_ends_what_was_over_before_the_machine_went_down(self):
        over = active(left=-HOUR, down_since=NOW - MINUTE)
        step = decide(over, world(sighting=self.rebooted), LIMITS)
        assert isinstance(step, Move)
        assert step.end_reason is EndReason.EXPIRED


class TestStoppingOverdue:
    def test_asks_for_attention_and_goes_on(self):
        late = row(State.STOPPING, state_deadline=NOW, detail="cancelled", launch_intended_at=NOW)
        assert isinstance(decide(late, world(sighting=UNKNOWN), LIMITS), Attend)

    def test_goes_on_after_attention_was_asked_for(self):
        late = row(
            State.STOPPING, state_deadline=NOW, needs_attention="slow", launch_intended_at=NOW, tombstoned_at=NOW
        )
        assert isinstance(decide(late, world(sighting=UNKNOWN), LIMITS), Rest)
