"""A person's first day, as on one machine: the same journeys, the boxes are pods."""

from __future__ import annotations

from tests.journeys.test_first_day import (
    test_a_box_names_the_place_it_is_in,
    test_a_busy_disk_is_refused_and_its_holder_named,
    test_a_deleted_disk_can_be_had_back,
    test_a_file_on_a_disk_is_there_in_the_next_box,
    test_a_snapshot_brings_an_older_content_back,
    test_a_throw_away_home_is_thrown_away,
    test_extending_moves_the_end,
    test_files_are_copied_both_ways,
    test_no_secret_value_shows_in_the_process_list,
    test_the_exit_code_of_a_command_comes_back,
    test_who_comes_later_waits_with_a_time_and_starts_by_itself,
)

__all__ = [
    "test_a_box_names_the_place_it_is_in",
    "test_a_busy_disk_is_refused_and_its_holder_named",
    "test_a_deleted_disk_can_be_had_back",
    "test_a_file_on_a_disk_is_there_in_the_next_box",
    "test_a_snapshot_brings_an_older_content_back",
    "test_a_throw_away_home_is_thrown_away",
    "test_extending_moves_the_end",
    "test_files_are_copied_both_ways",
    "test_no_secret_value_shows_in_the_process_list",
    "test_the_exit_code_of_a_command_comes_back",
    "test_who_comes_later_waits_with_a_time_and_starts_by_itself",
]
