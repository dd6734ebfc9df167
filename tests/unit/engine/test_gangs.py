"""The laws of gangs in the line: all nodes or none, whole, in one zone, at one moment, and in their turn."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.domain.plan import Bin, Holding, Placement, Question, Waiting
from gpudev_sdk.engine.planner import plan, probe
from tests.unit.engine.slow_planner import faults

NOW = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def node(name, zone="z1", usable=8, total=8, backend="b"):
    return Bin(backend=backend, node=name, gpu_type="h100", usable=usable, zone=zone, total=total)


def held(name, hours, slots=8, backend="b"):
    until = None if hours is None else NOW + hours * HOUR
    return Holding(backend=backend, node=name, gpu_type="h100", slots=slots, until=until)


def ask(seq, nodes=1, hours=1.0, slots=8, **more):
    shape = {"gpu_type": "h100", "slots": slots, "lasts": hours * HOUR, "priority": 0, "seq": seq, "nodes": nodes}
    return Waiting(reservation_id=uuid.UUID(int=seq), **shape | more)


THREE = (node("n1"), node("n2"), node("n3"))


def answer(*waiting, bins=THREE, holdings=(), taken=None) -> dict[int, Placement]:
    question = Question(now=NOW, bins=bins, holdings=holdings, waiting=waiting, taken=taken or {})
    return {placed.reservation_id.int: placed for placed in plan(question).placements}


def test_a_gang_starts_on_so_many_whole_nodes_ranked_by_name():
    placed = answer(ask(1, 2))[1]

    assert (placed.starts_at, placed.node, placed.nodes) == (NOW, "n1", ("n1", "n2"))


def test_one_node_has_no_ranks():
    assert answer(ask(1))[1].nodes == ()


def test_a_gang_waits_until_all_its_nodes_are_free_at_one_moment():
    placed = answer(ask(1, 3), holdings=(held("n1", 3), held("n2", 1)))[1]

    assert placed.starts_at == NOW + 3 * HOUR
    assert placed.waiting_for == "3 nodes with 8 × h100"


def test_a_node_that_is_free_early_and_taken_again_is_not_counted():
    first = ask(1, node="n1", hours=2)
    placed = answer(first, ask(2, 2, hours=2), bins=THREE[:2], holdings=(held("n2", 1),))

    assert placed[1].starts_at == NOW
    assert placed[2].starts_at == NOW + 2 * HOUR


def test_a_node_of_which_one_gpu_is_used_is_not_whole():
    assert answer(ask(1, 2), bins=THREE[:2], holdings=(held("n2", 5, slots=1),))[1].starts_at == NOW + 5 * HOUR


def test_a_node_that_lacks_a_gpu_is_never_one_of_a_gang():
    placed = answer(ask(1, 2), bins=(node("n1"), node("n2", usable=7)))[1]

    assert placed.starts_at is None
    assert placed.waiting_for == "2 whole nodes of h100 in one zone that can be used"


def test_half_of_a_larger_node_is_not_a_whole_node():
    assert answer(ask(1, 2, slots=4))[1].starts_at is None


def test_a_gang_is_in_one_zone():
    bins = (node("n1", "z1"), node("n2", "z2"), node("n3", "z2"))

    assert answer(ask(1, 2), bins=bins)[1].nodes == ("n2", "n3")
    assert answer(ask(1, 3), bins=bins)[1].starts_at is None


def test_zones_of_one_name_on_two_backends_are_two():
    assert answer(ask(1, 2), bins=(node("n1"), node("n2", backend="c")))[1].starts_at is None


def test_nodes_whose_end_is_not_known_are_not_counted_on():
    placed = answer(ask(1, 3), holdings=(held("n1", None),))[1]

    assert placed.starts_at is None
    assert placed.waiting_for == "3 whole nodes of h100 in one zone whose end is not known"


def test_the_node_of_its_disk_is_rank_0():
    assert answer(ask(1, 2, node="n3"))[1].nodes == ("n3", "n1")


def test_without_the_node_of_its_disk_it_does_not_start():
    assert answer(ask(1, 2, node="n3"), holdings=(held("n3", 4),))[1].starts_at == NOW + 4 * HOUR
    assert answer(ask(1, 2, node="n9"))[1].starts_at is None


def test_why_it_never_starts_says_where_its_disk_is():
    far = answer(ask(1, 2, node="n3"), bins=(*THREE[:2], node("n3", "z2")))[1]
    busy = answer(ask(1, 2, node="n3"), holdings=(held("n3", None),))[1]

    assert far.waiting_for == "2 whole nodes of h100 in one zone with n3, where its disk is, that can be used"
    assert busy.waiting_for == "2 whole nodes of h100 in one zone with n3, where its disk is, whose end is not known"


def test_younger_small_ones_do_not_starve_a_gang():
    crowd = [ask(seq, slots=1, hours=4) for seq in range(2, 30)]
    placed = answer(ask(1, 3, hours=2), *crowd, holdings=(held("n1", 2),))

    assert placed[1].starts_at == NOW + 2 * HOUR
    assert all(placed[seq].starts_at >= NOW + 4 * HOUR for seq in range(2, 30))


def test_a_small_one_that_is_over_in_time_starts_before_the_gang():
    placed = answer(ask(1, 3), ask(2, slots=1, hours=2), holdings=(held("n1", 2),))

    assert placed[2].starts_at == NOW
    assert placed[1].starts_at == NOW + 2 * HOUR


def test_a_gang_whose_disk_is_in_use_holds_up_nobody():
    tied = ask(1, 3, exclusive=frozenset({"d"}))
    placed = answer(tied, ask(2, 3, hours=5), taken={"d": NOW + HOUR})

    assert placed[2].starts_at == NOW
    assert placed[1].starts_at == NOW + 5 * HOUR


def test_a_probe_of_a_gang_holds_nothing():
    question = Question(now=NOW, bins=THREE, holdings=(held("n1", 1),), waiting=())
    found = probe(question, [ask(1, 2), ask(2, 3), ask(3, 2)])

    assert [placed.starts_at for placed in found] == [NOW, NOW + HOUR, NOW]


shapes = st.builds(
    lambda seq, slots, nodes, hours, priority: ask(seq, nodes, hours, 8 if nodes > 1 else slots, priority=priority),
    st.integers(1, 10**6),
    st.integers(1, 8),
    st.sampled_from([1, 1, 2, 2, 3]),
    st.sampled_from([0.5, 1, 2, 4]),
    st.sampled_from([0, 0, 0, 5]),
)
lines = st.lists(shapes, max_size=14, unique_by=lambda waiting: waiting.seq)
nodes = st.tuples(st.sampled_from(["z1", "z1", "z2"]), st.sampled_from([8, 8, 8, 7]), st.sampled_from([0, 0, 1, 3, 8]))


@st.composite
def questions(draw):
    """A house of a few nodes, some held for some hours, and a line of small and large requests."""
    bins, holdings = [], []
    for number, (zone, usable, slots) in enumerate(draw(st.lists(nodes, min_size=1, max_size=6))):
        bins.append(node(f"n{number}", zone, usable))
        if 0 < slots <= usable:
            holdings.append(held(f"n{number}", draw(st.sampled_from([1, 2, 3, None])), slots))
    return Question(now=NOW, bins=tuple(bins), holdings=tuple(holdings), waiting=tuple(draw(lines)))


@given(questions())
def test_the_planner_keeps_the_rules_as_they_are_written_down_slowly(question):
    assert faults(question, plan(question)) == []


@given(questions(), st.sampled_from([1, 2, 3]))
def test_nobody_younger_moves_anybody(question, size):
    late = ask(10**7, size, 2.0, priority=-1)
    before = plan(question).placements

    assert plan(attrs.evolve(question, waiting=(*question.waiting, late))).placements[: len(before)] == before


@given(questions())
def test_the_order_in_which_the_line_is_told_does_not_matter(question):
    turned = attrs.evolve(question, waiting=question.waiting[::-1])

    assert plan(turned) == plan(question)


@pytest.mark.parametrize("hours", [1, 2])
def test_gangs_of_one_shape_follow_each_other(hours):
    placed = answer(*(ask(seq, 2, hours) for seq in range(1, 5)))

    assert [placed[seq].starts_at for seq in range(1, 5)] == [NOW + hours * turn * HOUR for turn in range(4)]


def test_a_gang_whose_disk_is_in_a_zone_is_in_that_zone():
    bins = tuple(node(name, zone) for name, zone in (("n1", "z1"), ("n2", "z1"), ("n3", "z2"), ("n4", "z2")))

    placed = answer(ask(1, 2, zone="z2"), ask(2, 3, zone="z2"), bins=bins)

    assert set(placed[1].nodes) == {"n3", "n4"}
    assert placed[2].waiting_for == "3 whole nodes of h100 in z2, where its disk is, that can be used"
