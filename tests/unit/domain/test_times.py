"""Times as people write them."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.domain.times import HOUR, MINUTE, check_aware, format_duration, parse_duration
from gpudev_sdk.errors import InvalidRequest

NOW = dt.datetime(2030, 1, 1, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90m", 90 * MINUTE),
        ("4h", 4 * HOUR),
        ("1.5h", 90 * MINUTE),
        ("2d", 48 * HOUR),
        ("1w", 7 * 24 * HOUR),
        ("1h30m", 90 * MINUTE),
        ("4", 4 * HOUR),
        ("until 18:00", 6 * HOUR),
        ("until 06:30", 18 * HOUR + 30 * MINUTE),
        ("until 12:00", 24 * HOUR),
        (" 4h ", 4 * HOUR),
    ],
)
def test_a_time_is_read(text, duration):
    assert parse_duration(text, now=NOW) == duration


@pytest.mark.parametrize(
    "text", ["", "h", "4x", "-4h", "1e9", "NaN", "inf", "4h\n5", "4 h", "until 25:00", "until 12:60", "٤h", "9" * 300]
)
def test_what_is_no_time_is_refused_with_how_to_write_one(text):
    with pytest.raises(InvalidRequest) as raised:
        parse_duration(text, now=NOW)

    assert raised.value.field == "duration"
    assert "90m" in raised.value.hint


def test_a_moment_without_a_zone_is_a_fault_of_the_caller():
    with pytest.raises(ValueError, match="time zone"):
        check_aware(dt.datetime(2030, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (5400, "1 h 30 min"),
        (86400 * 2 + 3 * 3600 + 60, "2 d 3 h"),
        (-5, "0 s"),
    ],
)
def test_a_duration_is_written_in_at_most_two_units(seconds, text):
    assert format_duration(dt.timedelta(seconds=seconds)) == text


@given(st.integers(1, 99999), st.sampled_from("mhd"))
def test_whatever_is_read_is_never_negative(count, unit):
    assert parse_duration(f"{count}{unit}", now=NOW) > dt.timedelta()


@given(st.text(max_size=30))
def test_no_text_does_anything_but_be_read_or_refused(text):
    with contextlib.suppress(InvalidRequest):
        assert parse_duration(text, now=NOW) >= dt.timedelta()
