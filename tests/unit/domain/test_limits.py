"""Limits against the catalogue."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.limits import Limits, check_against
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.times import HOUR
from gpudev_sdk.errors import InvalidRequest, LimitReached

H100 = GpuType(name="h100", gpus_per_node=8)
CPU = GpuType(name="cpu", gpus_per_node=0, slots_per_node=4)
A100 = GpuType(name="a100", gpus_per_node=8)
OFFERS = [
    ("east", H100),
    ("west", attrs.evolve(H100, gpus_per_node=4)),
    ("east", CPU),
    ("east", A100),
    ("north", attrs.evolve(A100, gang=True)),
    ("south", attrs.evolve(A100, gang=True)),
    ("big", attrs.evolve(A100, gang=True, gpus_per_node=16)),
    ("north", attrs.evolve(CPU, name="thin", gang=True)),
]
TOGETHER = {("north", "a100"): 2, ("south", "a100"): 3, ("east", "a100"): 9, ("north", "thin"): 2}
ASKED = Request(gpu_type="h100", gpus=2, duration=4 * HOUR)


def check(**changes):
    return check_against(attrs.evolve(ASKED, **changes), OFFERS, Limits(), TOGETHER)


def test_a_type_that_fits_is_returned_from_where_it_is_largest():
    assert check() is H100


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gpu_type": "b200"}, "no GPU type 'b200'"),
        ({"gpu_type": "cpu", "gpus": 1}, "has no GPUs"),
        ({"gpus": 0}, "at least one GPU"),
        ({"gpus": 9}, "the largest has 8"),
        ({"gpus": 5, "backend": "west"}, "the largest has 4"),
        ({"backend": "pole"}, "no GPU type"),
        ({"nodes": 2}, "has one node here"),
        ({"gpu_type": "a100", "gpus": 4, "nodes": 2}, "takes them whole, and a node has 8 or 16 × a100"),
        ({"gpu_type": "a100", "gpus": 8, "nodes": 4}, "no zone has 4 whole nodes of a100; the largest has 3"),
        ({"gpu_type": "a100", "gpus": 8, "nodes": 3, "backend": "east"}, "one node here"),
        ({"gpu_type": "a100", "gpus": 16, "nodes": 2}, "the largest has none"),
        ({"gpu_type": "thin", "gpus": 1, "nodes": 2}, "has no GPUs"),
    ],
)
def test_what_could_never_fit_is_refused_with_what_there_is(changes, said):
    with pytest.raises(InvalidRequest, match=said) as raised:
        check(**changes)

    assert raised.value.hint


def test_a_gang_is_of_the_type_where_most_nodes_are_together():
    assert check(gpu_type="a100", gpus=8, nodes=3) is OFFERS[5][1]
    assert check(gpu_type="a100", gpus=8, nodes=2, backend="north") is OFFERS[4][1]
    assert check(gpu_type="thin", gpus=0, nodes=2).is_cpu


def test_a_longer_reservation_than_the_type_allows_is_over_the_limit():
    with pytest.raises(LimitReached, match="at most 1 d"):
        check(duration=25 * HOUR)


def test_a_cpu_box_may_last_a_month():
    assert check(gpu_type="cpu", gpus=0, duration=720 * HOUR) is CPU


def test_a_types_own_longest_goes_before_the_installs():
    assert Limits().longest(attrs.evolve(H100, max_duration=2 * HOUR)) == 2 * HOUR


def test_on_one_machine_the_total_has_no_cap():
    assert Limits.one_machine().longest_total(H100) is None


def test_a_total_is_never_below_what_one_reservation_may_last():
    assert Limits(max_total=HOUR).longest_total(CPU) == 720 * HOUR


def test_slots_are_gpus_or_one_place():
    assert (H100.slots_for(3), CPU.slots_for(0), H100.slots, CPU.slots) == (3, 1, 8, 4)
    assert (H100.slots_for(8, 2), CPU.slots_for(0, 2)) == (8, 4)
