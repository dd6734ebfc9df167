"""How fast an API may be called."""

from __future__ import annotations

import pytest

from gpudev_aws.pace import Pace


def test_a_burst_goes_at_once_and_what_is_more_waits_its_turn():
    pace = Pace(10.0)

    waits = [pace.take(0.0, 2.0) for _ in range(25)]

    assert waits[:20] == [0.0] * 20
    assert waits[20:] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_over_a_long_time_it_is_as_fast_as_was_said():
    pace, taken = Pace(10.0), 0
    for tick in range(1000):
        wait = pace.take(tick / 100, 0.0)
        taken += wait is not None
    assert 110 <= taken <= 122


def test_who_would_wait_too_long_is_put_off_and_takes_nothing():
    pace = Pace(1.0)
    waits = [pace.take(0.0, 2.0) for _ in range(10)]

    assert waits == [0.0, 0.0, 1.0, 2.0, *[None] * 6]
    assert pace.take(3.0, 2.0) == 0.0


def test_told_that_it_is_too_much_it_halves_and_never_stops():
    pace = Pace(16.0)
    pace.slow_down(0.0)
    assert pace.rate(0.0) == 8.0
    for _ in range(10):
        pace.slow_down(0.0)

    assert pace.rate(0.0) == 1.0


def test_told_that_it_is_too_much_the_burst_is_over():
    pace = Pace(10.0)
    pace.slow_down(0.0)

    assert pace.take(0.0, 2.0) == pytest.approx(0.2)


def test_after_a_while_without_complaint_it_is_as_fast_as_before():
    pace = Pace(16.0)
    for _ in range(10):
        pace.slow_down(0.0)

    assert pace.rate(10.0) == 2.0
    assert pace.rate(40.0) == 16.0
    for later in (4e3, 1e5, 1e9):
        assert pace.rate(later) == 16.0
        assert pace.take(later, 0.0) == 0.0


def test_a_bucket_holds_no_more_than_a_burst():
    pace = Pace(10.0)
    pace.take(0.0, 0.0)

    assert sum(pace.take(1000.0, 0.0) is not None for _ in range(100)) == 20
