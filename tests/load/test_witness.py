"""The witness of the storm sees what it is there for: a planner that lets anybody overtake is found out."""

from __future__ import annotations

import datetime as dt
import random
import uuid

import attrs
import pytest

from gpudev_sdk.domain.plan import Bin, Holding, Placement, Plan, Question, Waiting
from gpudev_sdk.engine.planner import plan
from tests.load.witness import inversions

NOW = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WAITING = 1000


def waiting(number, slots, hours, **fields):
    return Waiting(reservation_id=uuid.UUID(int=number), gpu_type="h100", slots=slots, lasts=hours * HOUR, priority=0,
                   seq=number, **fields)  # fmt: skip


def question(line, *held, usable=8, nodes=1, **fields):
    """Ask about nodes of 8 GPUs, of which each `held` has (slots, hours) on one after the other."""
    bins = tuple(Bin(backend="b", node=f"n{n}", gpu_type="h100", usable=usable) for n in range(nodes))
    holdings = tuple(
        Holding(backend="b", node=f"n{n % nodes}", gpu_type="h100", slots=slots, until=NOW + hours * HOUR)
        for n, (slots, hours) in enumerate(held)
    )
    return Question(now=NOW, bins=bins, holdings=holdings, waiting=tuple(line), **fields)


def promising(asked, *hours):
    """Return the plan that gives each request in turn its start on the first node, so many hours from now."""
    placements = [
        Placement(
            reservation_id=one.reservation_id, position=one.seq, starts_at=NOW + hour * HOUR, backend="b", node="n0"
        )
        for one, hour in zip(asked.waiting, hours, strict=True)
    ]
    return Plan(now=asked.now, placements=tuple(placements))


def mixed_line(chance, count=WAITING):
    return [waiting(n, chance.choice((1, 1, 2, 4, 8)), chance.choice((1, 2, 4, 8, 24))) for n in range(1, count + 1)]


def test_a_small_one_that_is_over_before_the_large_ones_start_may_go_first():
    asked = question([waiting(1, 8, 1), waiting(2, 2, 3)], (4, 4))
    assert inversions(asked, promising(asked, 4, 0)) == []


def test_a_small_one_that_would_still_run_then_may_not():
    asked = question([waiting(1, 8, 1), waiting(2, 2, 5)], (4, 4))
    assert len(inversions(asked, promising(asked, 4, 0))) == 1


def test_nor_may_it_if_the_older_one_is_told_a_later_time_for_it():
    asked = question([waiting(1, 8, 1), waiting(2, 2, 5)], (4, 4))
    assert len(inversions(asked, promising(asked, 5, 0))) == 1


def test_of_two_that_fit_alone_the_older_goes_first():
    asked = question([waiting(1, 5, 1), waiting(2, 5, 1)])
    assert inversions(asked, promising(asked, 0, 1)) == []
    assert len(inversions(asked, promising(asked, 1, 0))) == 1


def test_who_waits_for_a_disk_of_their_own_holds_up_nobody():
    line = [waiting(1, 8, 1, exclusive=frozenset({"disk:x"})), waiting(2, 2, 5)]
    asked = question(line, taken={"disk:x": NOW + 9 * HOUR})
    assert inversions(asked, promising(asked, 9, 0)) == []


def test_more_than_there_is_is_seen_as_well():
    asked = question([waiting(1, 5, 1), waiting(2, 5, 1)])
    assert len(inversions(asked, promising(asked, 0, 0))) == 1


def test_which_of_two_places_of_the_same_moment_it_is_does_not_matter():
    asked = question([waiting(1, 5, 1), waiting(2, 8, 1)], nodes=2)
    answer = plan(asked)
    swapped = {"n0": "n1", "n1": "n0"}
    other = [attrs.evolve(placed, node=swapped[placed.node]) for placed in answer.placements]
    assert inversions(asked, attrs.evolve(answer, placements=tuple(other))) == []


@pytest.mark.parametrize("seed", range(5))
def test_of_a_thousand_in_line_the_planner_lets_nobody_overtake(seed):
    chance = random.Random(seed)
    held = [(chance.randint(1, 8), chance.randint(1, 24)) for _ in range(40)]
    asked = question(mixed_line(chance), *held, nodes=50)
    answer = plan(asked)

    assert [placed.reservation_id for placed in answer.placements] == [one.reservation_id for one in asked.waiting]
    assert [placed.position for placed in answer.placements] == list(range(1, WAITING + 1))
    assert len(answer.starting) > 10
    assert inversions(asked, answer) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_planner_that_takes_the_small_ones_first_is_found_out(seed):
    chance = random.Random(seed)
    asked = question(mixed_line(chance), *[(chance.randint(1, 8), chance.randint(1, 24)) for _ in range(50)], nodes=50)
    smallest_first = tuple(attrs.evolve(one, priority=-one.slots) for one in asked.waiting)
    greedy = plan(attrs.evolve(asked, waiting=smallest_first))

    assert {placed.reservation_id for placed in greedy.starting} != {
        placed.reservation_id for placed in plan(asked).starting
    }
    assert inversions(asked, greedy) != []


def test_one_start_that_pushes_the_head_of_the_line_back_is_found_out():
    """As a backfill that forgets the head: a small one that fits now is put in before one that needs the whole node."""
    head, small = waiting(1, 8, 1), waiting(2, 1, 24)
    asked = question([head, small], (7, 1))
    pushed = plan(attrs.evolve(asked, waiting=(head, attrs.evolve(small, priority=1))))

    assert plan(asked).starting == ()
    assert [placed.position for placed in pushed.starting] == [1]
    assert inversions(asked, pushed) != []
