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
OFFERS = [("east", H100), ("west", attrs.evolve(H100, gpus_per_node=4)), ("east", CPU)]
ASKED = Request(gpu_type="h100", gpus=2, duration=4 * HOUR)


def check(**changes):
    return check_against(attrs.evolve(ASKED, **changes), OFFERS, Limits())


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
        ({"backend": "north"}, "no GPU type"),
        ({"nodes": 2}, "one node"),
    ],
)
def test_what_could_never_fit_is_refused_with_what_there_is(changes, said):
    with pytest.raises(InvalidRequest, match=said) as raised:
        check(**changes)

    assert raised.value.hint


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
