"""The laws of the line."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.domain.plan import Bin, Holding, Placement, Question, Waiting
from gpudev_sdk.engine.planner import plan

NOW = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def node(name="n1", slots=8, gpu_type="h100", backend="b"):
    return Bin(backend=backend, node=name, gpu_type=gpu_type, usable=slots)


def held(slots, hours, name="n1"):
    until = None if hours is None else NOW + hours * HOUR
    return Holding(backend="b", node=name, gpu_type="h100", slots=slots, until=until)


def ask(seq, slots, hours=1.0, **more):
    shape = {"gpu_type": "h100", "slots": slots, "lasts": hours * HOUR, "priority": 0, "seq": seq}
    return Waiting(reservation_id=uuid.UUID(int=seq), **shape | more)


def answer(*waiting, bins=(node(),), holdings=(), taken=None) -> dict[int, Placement]:
    question = Question(now=NOW, bins=bins, holdings=holdings, waiting=waiting, taken=taken or {})
    return {placed.reservation_id.int: placed for placed in plan(question).placements}


def test_what_fits_starts_now():
    placed = answer(ask(1, 4), ask(2, 4))

    assert [placed[n].starts_at for n in (1, 2)] == [NOW, NOW]


def test_what_does_not_fit_is_told_when_it_will():
    placed = answer(ask(1, 8), holdings=(held(2, 3),))

    assert placed[1].starts_at == NOW + 3 * HOUR
    assert placed[1].waiting_for == "8 × h100"


def test_a_small_request_starts_in_a_hole_that_it_leaves_in_time():
    placed = answer(ask(1, 8), ask(2, 4, hours=2), holdings=(held(4, 3),))

    assert placed[2].starts_at == NOW
    assert placed[1].starts_at == NOW + 3 * HOUR


def test_a_small_request_that_would_delay_an_older_one_waits():
    placed = answer(ask(1, 8, hours=2), ask(2, 4, hours=4), holdings=(held(4, 3),))

    assert placed[1].starts_at == NOW + 3 * HOUR
    assert placed[2].starts_at == NOW + 5 * HOUR


def test_higher_priority_goes_first_and_positions_say_so():
    placed = answer(ask(1, 8), ask(2, 8, priority=10))

    assert placed[2].starts_at == NOW
    assert (placed[2].position, placed[1].position) == (1, 2)


def test_slots_whose_end_is_unknown_are_never_counted_on():
    placed = answer(ask(1, 8), holdings=(held(1, None),))

    assert placed[1].starts_at is None
    assert "not known" in placed[1].waiting_for


def test_overdue_slots_are_still_held():
    placed = answer(ask(1, 8), holdings=(held(1, -1),))

    assert placed[1].starts_at is not None
    assert placed[1].starts_at > NOW


def test_one_that_waits_for_its_disk_holds_up_nobody():
    placed = answer(ask(1, 8, exclusive=frozenset({"d"})), ask(2, 8, hours=5), taken={"d": NOW + HOUR})

    assert placed[2].starts_at == NOW
    assert placed[1].starts_at == NOW + 5 * HOUR


def test_two_requests_for_one_disk_follow_each_other():
    placed = answer(ask(1, 1, exclusive=frozenset({"d"})), ask(2, 1, exclusive=frozenset({"d"})))

    assert placed[1].starts_at == NOW
    assert placed[2].starts_at == NOW + HOUR


def test_the_tightest_fit_is_taken():
    placed = answer(ask(1, 2), bins=(node("n1"), node("n2")), holdings=(held(6, 9, "n2"),))

    assert placed[1].node == "n2"


def test_a_named_backend_or_node_is_kept_to():
    placed = answer(ask(1, 1, backend="c"), ask(2, 1, node="n1"), bins=(node("n1"), node("n9", backend="c")))

    assert (placed[1].backend, placed[2].node) == ("c", "n1")


def test_what_no_node_could_ever_hold_says_so():
    placed = answer(ask(1, 8), bins=(node(slots=4), node("n2", slots=4)))

    assert placed[1].starts_at is None
    assert "a node with 8 × h100" in placed[1].waiting_for


shapes = st.builds(
    lambda seq, slots, hours, priority: ask(seq, slots, hours, priority=priority),
    st.integers(1, 10**6),
    st.integers(1, 8),
    st.sampled_from([0.5, 1, 2, 4, 8]),
    st.sampled_from([0, 0, 0, 5]),
)
lines = st.lists(shapes, max_size=25, unique_by=lambda waiting: waiting.seq)
houses = st.lists(st.integers(1, 8), min_size=1, max_size=4).map(
    lambda sizes: tuple(node(f"n{number}", size) for number, size in enumerate(sizes))
)


def used_at(moment, placed, waiting, name):
    return sum(
        asked.slots
        for asked in waiting
        if (found := placed[asked.seq]).node == name
        and found.starts_at is not None
        and found.starts_at <= moment < found.starts_at + asked.lasts
    )


@given(lines, houses)
def test_no_slot_is_ever_planned_twice(waiting, bins):
    placed = answer(*waiting, bins=bins)

    for found in placed.values():
        if found.starts_at is not None:
            size = next(place.usable for place in bins if place.node == found.node)
            assert used_at(found.starts_at, placed, waiting, found.node) <= size


@given(lines, houses, shapes)
def test_no_younger_request_moves_an_older_one(waiting, bins, late):
    late = attrs.evolve(late, seq=10**7, reservation_id=uuid.UUID(int=10**7), priority=-1)
    before = answer(*waiting, bins=bins)
    after = answer(*waiting, late, bins=bins)

    assert {seq: after[seq] for seq in before} == before


@given(lines, houses)
def test_everyone_who_fits_somewhere_has_a_time(waiting, bins):
    placed = answer(*waiting, bins=bins)

    largest = max(place.usable for place in bins)
    assert all((placed[asked.seq].starts_at is None) == (asked.slots > largest) for asked in waiting)


def test_a_disk_of_a_zone_keeps_its_request_in_it_and_on_any_node_of_it():
    near, far = (attrs.evolve(node(name), zone=zone) for name, zone in (("n2", "z1"), ("n3", "z2")))
    full = attrs.evolve(node("n1"), zone="z1")

    placed = answer(ask(1, 8, zone="z1"), ask(2, 8, zone="z1"), bins=(full, near, far), holdings=(held(8, 3),))

    assert (placed[1].node, placed[1].starts_at) == ("n2", NOW)
    assert (placed[2].node, placed[2].starts_at) == ("n2", NOW + HOUR)


def test_two_requests_alike_but_for_the_zone_are_placed_each_in_its_own():
    bins = tuple(attrs.evolve(node(name), zone=zone) for name, zone in (("n1", "z1"), ("n2", "z2")))

    placed = answer(ask(1, 4, zone="z1"), ask(2, 4, zone="z2"), ask(3, 4), bins=bins)

    assert [placed[n].node for n in (1, 2)] == ["n1", "n2"]


def test_who_cannot_start_is_told_of_the_disks_zone():
    placed = answer(ask(1, 8, zone="z9"))

    assert placed[1].starts_at is None
    assert placed[1].waiting_for == "a node with 8 × h100 that can be used, in z9, where its disk is"
