"""Two minutes of torment at every commit; `make chaos` is the same for half an hour."""

from __future__ import annotations

import os

import pytest

from tests.journeys.chaos.run import Plan, run
from tests.journeys.chaos.tormentor import LONGEST_RECOVERY

pytestmark = pytest.mark.sandbox

CYCLES = 20


@pytest.fixture(scope="module")
def result():
    """One run that all tests look at."""
    plan = Plan(
        seed=int.from_bytes(os.urandom(3), "big"),
        seconds=60,
        disk_cycles=CYCLES,
        kills=5,
        restarts=1,
        lifecycles=CYCLES,
        longest=420,
        disk_people=4,
        gpu_people=2,
        pause=2.0,
    )
    found = run(plan)
    print(found.table())
    return found


def test_there_was_torment_of_every_kind_and_people_went_on(result):
    assert result.kills >= 5
    assert result.restarts >= 1
    assert result.lifecycles >= CYCLES
    assert result.done["markers"] >= CYCLES
    assert result.checks >= 20


def test_everyone_got_an_answer_a_box_and_an_end(result):
    assert result.faults == []


def test_no_law_was_broken_at_any_second(result):
    assert result.violations == []


def test_everything_acknowledged_is_there_as_it_was_asked_for(result):
    assert result.acknowledged >= CYCLES
    assert result.lost == []


def test_every_synced_marker_is_found_again_in_the_next_box(result):
    assert result.done["disk cycles"] >= CYCLES
    assert result.done["restores"] >= 1
    assert result.lost_markers == []


def test_nothing_is_left_when_all_has_ended(result):
    assert result.left == []


def test_whatever_was_killed_or_lost_is_taken_up_again(result):
    assert result.times.all()
    assert max(result.times.all()) < LONGEST_RECOVERY
