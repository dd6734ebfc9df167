"""The law of a node's places for volumes, each case one step from an install where the last place is taken."""

from __future__ import annotations

import pytest

from tests.unit.engine.check_make import ACTIVE, NOW, WAITING, placed_beside, slot

LAW = {"I-21"}


def test_who_gets_the_last_place_breaks_no_law():
    assert placed_beside(2).laws() == []


@pytest.mark.parametrize("most", [0, 1])
def test_who_is_brought_up_without_a_place_is_found_once_for_its_node(most):
    (found,) = placed_beside(most).check(only=LAW)

    assert found.what.startswith(f"lab/n1 can have {most} of our volumes, 2 are to be there, and box-12 ")
    assert found.key == "I-21:lab/n1"


@pytest.mark.parametrize(
    "lawful",
    [
        placed_beside(None),
        placed_beside(1, node="n2"),
        placed_beside(1, disk_id=None).put(leases=()),
        placed_beside(1).row(ACTIVE, state="stopping", detached_at=NOW),
        placed_beside(1).put(leases=placed_beside(1).tables.leases[:1]),
    ],
    ids=[
        "no limit is known",
        "on another node",
        "without a disk",
        "the other is detached",
        "it does not hold its disk",
    ],
)
def test_who_needs_no_place_or_has_one_breaks_it_not(lawful):
    assert lawful.check(only=LAW) == []


def test_a_volume_that_is_not_detached_yet_still_has_its_place():
    assert placed_beside(1).row(ACTIVE, state="stopping", gone_at=NOW).check(only=LAW) != []


def test_a_limit_that_shrinks_under_boxes_breaks_nothing():
    up = placed_beside(1).row(WAITING, state="active", started_at=NOW)

    assert up.check(only=LAW) == []


def test_each_node_and_each_place_counts_alone():
    other = (slot(0, WAITING, node="n2", volumes=0),)
    two = placed_beside(1, node="n2").add(slots=other)

    assert [found.key for found in two.check(only=LAW)] == ["I-21:lab/n2"]
    assert two.row(WAITING, backend="far").check(only=LAW) == []
