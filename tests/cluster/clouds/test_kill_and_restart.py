"""kill -9 of gpudev at any time, as on one machine: the same journeys, the boxes are pods."""

from __future__ import annotations

from tests.journeys.test_kill_and_restart import (
    test_a_box_full_of_traps_ends_cleanly,
    test_a_box_goes_on_over_down_and_up,
    test_a_box_goes_on_while_gpudev_is_killed_and_comes_back,
    test_a_second_process_of_workers_shares_the_work,
    test_killed_while_preparing_it_comes_up_all_the_same,
    test_killed_while_stopping_it_ends_cleanly,
    test_the_doctor_finds_nothing_after_all_that,
)

__all__ = [
    "test_a_box_full_of_traps_ends_cleanly",
    "test_a_box_goes_on_over_down_and_up",
    "test_a_box_goes_on_while_gpudev_is_killed_and_comes_back",
    "test_a_second_process_of_workers_shares_the_work",
    "test_killed_while_preparing_it_comes_up_all_the_same",
    "test_killed_while_stopping_it_ends_cleanly",
    "test_the_doctor_finds_nothing_after_all_that",
]
