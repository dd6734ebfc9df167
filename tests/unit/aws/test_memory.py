"""When a look that does not show a thing means that it is not there."""

from __future__ import annotations

import uuid

import pytest

from gpudev_aws.memory import LAG, Memory

ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def memory():
    return Memory()


def test_what_nobody_ever_made_is_missing_at_once(memory):
    assert memory.is_missing(ONE, 0.0)


def test_what_was_just_made_is_not_missing_until_it_would_be_shown(memory):
    memory.see(ONE, "vol-1", 0.0)

    assert not memory.is_missing(ONE, 1.0)
    assert not memory.is_missing(ONE, LAG)
    assert memory.is_missing(ONE, LAG + 1.0)


def test_one_look_proves_nothing_however_long_ago_it_was_made(memory):
    memory.see(ONE, "vol-1", 0.0)

    assert not memory.is_missing(ONE, 10 * LAG)
    assert not memory.is_missing(ONE, 11 * LAG - 1.0)
    assert memory.is_missing(ONE, 11 * LAG)


def test_two_looks_far_from_each_other_are_not_one_question(memory):
    memory.see(ONE, "vol-1", 0.0)
    assert not memory.is_missing(ONE, 10 * LAG)

    assert not memory.is_missing(ONE, 14 * LAG)
    assert memory.is_missing(ONE, 15 * LAG)


def test_what_shows_again_was_never_missing(memory):
    memory.see(ONE, "vol-1", 0.0)
    assert not memory.is_missing(ONE, 2 * LAG)
    memory.see(ONE, "vol-1", 2 * LAG + 1.0)

    assert not memory.is_missing(ONE, 3 * LAG)


def test_what_has_a_handle_is_doubted_by_a_process_that_never_saw_it(memory):
    assert not memory.is_missing(ONE, 5.0, handle="vol-1")
    assert memory.is_missing(ONE, 5.0 + LAG, handle="vol-1")


def test_once_it_is_missing_it_stays_so(memory):
    memory.is_missing(ONE, 0.0, handle="vol-1")
    assert memory.is_missing(ONE, LAG, handle="vol-1")

    assert memory.is_missing(ONE, LAG + 1.0, handle="vol-1")


def test_what_vanished_is_told_by_its_handle_and_what_we_deleted_is_not(memory):
    memory.see(ONE, "vol-1", 0.0)
    memory.see(TWO, "vol-2", 0.0)
    assert memory.vanished(ONE) is None
    memory.is_missing(ONE, LAG)
    memory.is_missing(ONE, 2 * LAG)
    memory.forget(TWO, 1.0)

    assert (memory.vanished(ONE), memory.vanished(TWO)) == ("vol-1", None)
    memory.forget(ONE, 3 * LAG)
    assert memory.vanished(ONE) is None
    assert memory.is_missing(ONE, 3 * LAG, "vol-1")


def test_what_we_deleted_is_missing_at_once(memory):
    memory.see(ONE, "vol-1", 0.0)
    memory.forget(ONE, 1.0)

    assert memory.is_missing(ONE, 1.0, handle="vol-1")
    assert memory.handle(ONE) is None


def test_what_is_made_again_after_that_is_there(memory):
    memory.forget(ONE, 1.0)
    memory.see(ONE, "vol-2", 2.0)

    assert not memory.is_missing(ONE, 3.0)
    assert memory.handle(ONE) == "vol-2"


def test_what_is_gone_is_not_remembered_for_ever(memory):
    for number in range(100):
        memory.forget(uuid.UUID(int=number), float(number))
    memory.forget(ONE, 10_000.0)

    assert len(memory._gone) == 1


def test_a_list_doubts_what_it_does_not_show_and_lets_go_of_it_later(memory):
    memory.see(ONE, "vol-1", 0.0)
    memory.see(TWO, "vol-2", 0.0)

    assert memory.doubted({ONE}, 1.0) == (TWO,)
    assert memory.doubted({ONE}, LAG + 2.0) == ()
    assert memory.handle(ONE) == "vol-1"
