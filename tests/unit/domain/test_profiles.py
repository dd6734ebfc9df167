"""What may be asked for with a profile."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.limits import Limits, check_against
from gpudev_sdk.domain.profiles import PROFILING, ROOT
from gpudev_sdk.domain.request import Request
from gpudev_sdk.errors import InvalidRequest

LIMITS = Limits()


def ask(offers, **asked):
    request = Request(**({"gpu_type": "h100", "gpus": 1, "duration": dt.timedelta(hours=1)} | asked))
    return check_against(request, offers, LIMITS, {("lab", "h100"): 2})


def h100(*profiles):
    return GpuType(name="h100", gpus_per_node=8, profiles=profiles, gang=True)


def test_a_profile_that_is_offered_may_be_asked_for():
    assert ask([("lab", h100(ROOT))], profile=ROOT).name == "h100"


def test_a_profile_that_is_not_offered_is_refused_and_those_that_are_named():
    with pytest.raises(InvalidRequest) as caught:
        ask([("lab", h100(ROOT))], profile=PROFILING)

    assert (caught.value.field, caught.value.hint) == ("profile", "There are: root.")


def test_where_only_some_places_offer_it_one_has_to_say_where():
    offers = [("lab", h100(ROOT)), ("cloud", h100())]

    with pytest.raises(InvalidRequest) as caught:
        ask(offers, profile=ROOT)
    assert caught.value.hint == "Say where: --backend lab."
    assert ask(offers, profile=ROOT, backend="lab").name == "h100"


def test_profiling_takes_a_whole_node():
    with pytest.raises(InvalidRequest) as caught:
        ask([("lab", h100(PROFILING))], profile=PROFILING, gpus=4)
    assert caught.value.hint == "Ask for h100:8."
    assert ask([("lab", h100(PROFILING))], profile=PROFILING, gpus=8).name == "h100"


def test_a_gang_has_no_profile():
    with pytest.raises(InvalidRequest) as caught:
        ask([("lab", h100(ROOT))], profile=ROOT, gpus=8, nodes=2)
    assert caught.value.field == "profile"
