"""The end by time, as on one machine: the same journeys, the boxes are pods."""

from __future__ import annotations

from tests.journeys.test_time_is_up import (
    test_a_box_is_warned_in_its_terminals_and_ends_after_the_notice,
    test_extending_in_the_grace_saves_the_box,
)

__all__ = [
    "test_a_box_is_warned_in_its_terminals_and_ends_after_the_notice",
    "test_extending_in_the_grace_saves_the_box",
]
