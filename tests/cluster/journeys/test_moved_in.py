"""A home of the old system goes into a box, as on one machine: the boxes are pods, and have the rsync of the tools image."""

from __future__ import annotations

from tests.journeys.test_moved_in import (
    box,
    copy,
    helper,
    old,
    pytestmark,
    test_a_copy_that_was_cut_off_is_whole_after_the_next,
    test_a_home_arrives_whole_as_the_boxs_users_own,
    test_it_is_on_the_disk_and_in_the_next_box,
    test_the_second_time_only_what_changed_is_sent,
)

__all__ = [
    "box",
    "copy",
    "helper",
    "old",
    "pytestmark",
    "test_a_copy_that_was_cut_off_is_whole_after_the_next",
    "test_a_home_arrives_whole_as_the_boxs_users_own",
    "test_it_is_on_the_disk_and_in_the_next_box",
    "test_the_second_time_only_what_changed_is_sent",
]


def test_the_rsync_of_a_box_is_that_of_the_tools_image(box):
    assert box.ssh("work", "command -v rsync").stdout == "/opt/gpudev/bin/rsync\n"
