"""The laws of the line where a node can have only so many volumes."""

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


def node(name="n1", volumes=None, gpu_type="h100", zone="z1"):
    return Bin(backend="b", node=name, gpu_type=gpu_type, usable=8, total=8, zone=zone, volumes=volumes)


def held(name, hours, slots=1, volume=True):
    until = None if hours is None else NOW + hours * HOUR
    return Holding(backend="b", node=name, gpu_type="h100", slots=slots, until=until, volume=volume)


def ask(seq, slots=1, hours=1.0, *, volume=True, **more):
    shape = {"gpu_type": "h100", "slots": slots, "lasts": hours * HOUR, "priority": 0, "seq": seq, "volume": volume}
    return Waiting(reservation_id=uuid.UUID(int=seq), **shape | more)


def answer(*waiting, bins, holdings=()) -> dict[int, Placement]:
    question = Question(now=NOW, bins=bins, holdings=holdings, waiting=waiting)
    return {placed.reservation_id.int: placed for placed in plan(question).placements}


def test_a_second_disk_waits_for_the_first_and_a_box_without_one_does_not():
    placed = answer(ask(1, hours=3), ask(2), ask(3, volume=False), bins=(node(volumes=1),))

    assert [placed[seq].starts_at for seq in (1, 2, 3)] == [NOW, NOW + 3 * HOUR, NOW]
    assert placed[2].waiting_for == "1 × h100 on a node that can take another disk"


def test_the_places_of_a_node_are_shared_by_its_types():
    bins = (node(volumes=1), node(volumes=1, gpu_type="cpu"))

    placed = answer(ask(1, hours=2), ask(2, gpu_type="cpu"), ask(3, volume=False, gpu_type="cpu"), bins=bins)

    assert [placed[seq].starts_at for seq in (1, 2, 3)] == [NOW, NOW + 2 * HOUR, NOW]


def test_what_another_type_took_meanwhile_is_seen_by_an_offer_of_before():
    bins = (node("n1", 1), node("n2", 1), node("n2", 1, gpu_type="cpu"))

    placed = answer(ask(1, hours=2), ask(2, gpu_type="cpu"), ask(3, hours=2), bins=bins)

    assert [(placed[seq].node, placed[seq].starts_at) for seq in (1, 2)] == [("n1", NOW), ("n2", NOW)]
    assert (placed[3].node, placed[3].starts_at) == ("n2", NOW + HOUR)


def test_another_node_that_has_a_place_is_taken_at_once():
    placed = answer(ask(1), ask(2), bins=(node(volumes=1), node("n2")))

    assert {placed[1].node, placed[2].node} == {"n1", "n2"}
    assert placed[2].starts_at == NOW


def test_a_volume_that_outlives_its_server_holds_its_place_and_no_slot():
    placed = answer(ask(1), ask(2, 8, volume=False), bins=(node(volumes=1),), holdings=(held("n1", 2, slots=0),))

    assert placed[2].starts_at == NOW
    assert placed[1].starts_at == NOW + 2 * HOUR


def test_a_volume_without_a_slot_counts_where_slots_alone_would_never_meet_the_limit():
    placed = answer(*map(ask, range(1, 9)), bins=(node(volumes=8),), holdings=(held("n1", 2, slots=0),))

    assert [placed[seq].starts_at - NOW for seq in range(1, 9)] == [0 * HOUR] * 7 + [HOUR]
    assert placed[8].waiting_for == "1 × h100 on a node that can take another disk"


def test_slots_and_a_place_have_to_be_free_together():
    holdings = (held("n1", 1, slots=8, volume=False), held("n1", 3, slots=0))

    placed = answer(ask(1, 8, volume=False, hours=1), ask(2, 8), bins=(node(volumes=1),), holdings=holdings)

    assert placed[1].starts_at == NOW + HOUR
    assert placed[2].starts_at == NOW + 3 * HOUR


def test_who_waits_for_slots_alone_is_told_of_slots_alone():
    holdings = (held("n1", 2, slots=8),)

    assert answer(ask(1), bins=(node(volumes=1),), holdings=holdings)[1].waiting_for == "1 × h100"


def test_a_node_that_takes_no_volume_says_so():
    placed = answer(ask(1), ask(2, volume=False), bins=(node(volumes=0),))

    assert (placed[1].starts_at, placed[2].starts_at) == (None, NOW)
    assert placed[1].waiting_for == "a node with 1 × h100 that can take a disk"


def test_a_place_whose_end_is_not_known_is_never_counted_on():
    assert answer(ask(1), bins=(node(volumes=1),), holdings=(held("n1", None),))[1].starts_at is None


def test_more_volumes_than_a_node_can_have_are_no_trouble():
    placed = answer(ask(1), bins=(node(volumes=1),), holdings=(held("n1", 1), held("n1", 2)))

    assert placed[1].starts_at == NOW + 2 * HOUR


def test_a_dry_run_sees_what_is_left_and_takes_nothing():
    question = Question(now=NOW, bins=(node(volumes=1),), holdings=(), waiting=(ask(1, hours=2),))

    assert [placed.starts_at for placed in probe(question, [ask(8), ask(9, volume=False)])] == [NOW + 2 * HOUR, NOW]


def test_of_a_gang_only_the_first_node_needs_a_place():
    placed = answer(ask(1, 8, nodes=3), bins=(node("n1", 0), node("n2", 1), node("n3", 0)))[1]

    assert (placed.starts_at, placed.nodes) == (NOW, ("n2", "n1", "n3"))


def test_a_gang_waits_until_one_of_its_nodes_has_a_place():
    bins = (node("n1", 1), node("n2", 0))

    placed = answer(ask(1, 8, nodes=2), bins=bins, holdings=(held("n1", 2, slots=0),))[1]

    assert (placed.starts_at, placed.nodes) == (NOW + 2 * HOUR, ("n1", "n2"))
    assert placed.waiting_for == "2 nodes with 8 × h100, one of which can take another disk"


def test_the_node_of_a_gangs_disk_needs_a_place_of_its_own():
    placed = answer(ask(1, 8, nodes=2, node="n1"), bins=(node("n1", 1), node("n2")), holdings=(held("n1", 2, 0),))[1]

    assert placed.starts_at == NOW + 2 * HOUR


def test_a_gang_none_of_whose_nodes_takes_a_volume_says_so():
    placed = answer(ask(1, 8, nodes=2), bins=(node("n1", 0), node("n2", 0)))[1]

    assert placed.starts_at is None
    assert placed.waiting_for == "2 whole nodes of h100 in one zone, one of which can take a disk"


def test_a_gang_holds_one_place_and_leaves_those_of_its_other_nodes():
    bins = tuple(node(name, 1, gpu_type) for name in ("n1", "n2") for gpu_type in ("h100", "cpu"))

    placed = answer(ask(1, 8, 2, nodes=2), ask(2, gpu_type="cpu"), ask(3, gpu_type="cpu"), bins=bins)

    assert (placed[2].node, placed[2].starts_at) == ("n2", NOW)
    assert placed[3].starts_at == NOW + HOUR


shapes = st.builds(
    lambda seq, slots, nodes, hours, more: ask(seq, 8 if nodes > 1 else slots, hours, nodes=nodes, **more),
    st.integers(1, 10**6),
    st.integers(1, 8),
    st.sampled_from([1, 1, 1, 2, 3]),
    st.sampled_from([0.5, 1, 2, 4]),
    st.fixed_dictionaries(
        {
            "priority": st.sampled_from([0, 0, 0, 5]),
            "volume": st.booleans(),
            "node": st.sampled_from([None, None, None, "n0", "n1"]),
        }
    ),
)
nodes = st.tuples(st.sampled_from([None, 0, 1, 2, 3]), st.sampled_from(["z1", "z1", "z2"]))
holders = st.tuples(st.sampled_from([0, 1, 3, 8]), st.booleans(), st.sampled_from([1, 2, 3, None]))


@st.composite
def questions(draw):
    """A house of a few nodes of which some can have few volumes, some held, and a line with and without disks."""
    bins, holdings = [], []
    for number, (volumes, zone) in enumerate(draw(st.lists(nodes, min_size=1, max_size=5))):
        bins.append(node(f"n{number}", volumes, zone=zone))
        slots, volume, hours = draw(holders)
        holdings.append(held(f"n{number}", hours, slots, volume=volume))
    waiting = draw(st.lists(shapes, max_size=12, unique_by=lambda asked: asked.seq))
    return Question(now=NOW, bins=tuple(bins), holdings=tuple(holdings), waiting=tuple(waiting))


@given(questions())
def test_the_planner_keeps_the_rules_as_they_are_written_down_slowly(question):
    assert faults(question, plan(question)) == []


@given(questions(), st.sampled_from([1, 2]), st.booleans())
def test_nobody_younger_moves_anybody(question, size, volume):
    late = ask(10**7, 8, 2.0, nodes=size, volume=volume, priority=-1)
    before = plan(question).placements

    assert plan(attrs.evolve(question, waiting=(*question.waiting, late))).placements[: len(before)] == before


@pytest.mark.parametrize("most", [None, 9])
@given(question=questions())
def test_where_no_limit_is_known_or_can_be_met_disks_change_nothing(most, question):
    # Eight boxes have a node's slots, and one more may have a volume there and no slot.
    free = attrs.evolve(question, bins=tuple(attrs.evolve(place, volumes=most) for place in question.bins))
    without = attrs.evolve(free, waiting=tuple(attrs.evolve(asked, volume=False) for asked in question.waiting))

    assert plan(free) == plan(without)
