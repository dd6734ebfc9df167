"""Requests: every field is checked, and what is stored is read back the same."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.domain.request import Request, check_request, request_from_json, request_to_json
from gpudev_sdk.domain.times import HOUR
from gpudev_sdk.errors import InvalidRequest

GOOD = Request(gpu_type="h100", gpus=2, duration=4 * HOUR, disk="work")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gpu_type": "H100"}, "GPU type"),
        ({"gpus": -1}, "gpus"),
        ({"gpus": 4097}, "gpus"),
        ({"gpus": True}, "gpus"),
        ({"gpus": 1.0}, "gpus"),
        ({"gpus": "1"}, "gpus"),
        ({"gpus": 2**63}, "gpus"),
        ({"nodes": 0}, "nodes"),
        ({"priority": 101}, "priority"),
        ({"duration": dt.timedelta()}, "duration"),
        ({"duration": -HOUR}, "duration"),
        ({"duration": dt.timedelta(days=367)}, "duration"),
        ({"max_wait": dt.timedelta()}, "max_wait"),
        ({"disk": "../x"}, "disk"),
        ({"disk": "none"}, "disk"),
        ({"name": "x\n"}, "reservation"),
        ({"backend": "La b"}, "backend"),
        ({"image": "a b"}, "image"),
        ({"image": "x@sha256:12"}, "image"),
        ({"image": "a" * 300}, "image"),
        ({"env_names": ("LD_PRELOAD",)}, "env"),
        ({"env_names": ("GPUDEV_TOKEN",)}, "env"),
        ({"env_names": ("lower",)}, "env"),
        ({"env_names": ("A\n",)}, "env"),
    ],
)
def test_a_field_that_is_not_well_formed_is_refused_by_name(changes, field):
    with pytest.raises(InvalidRequest) as raised:
        check_request(attrs.evolve(GOOD, **changes))

    assert raised.value.field == field


def test_a_well_formed_request_is_returned():
    full = attrs.evolve(GOOD, name="box", image="registry.example/team/image:1.2", env_names=("WANDB_API_KEY",))

    assert check_request(full) is full


def test_a_request_is_immutable():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        GOOD.gpus = 8


@given(
    st.builds(
        Request,
        gpu_type=st.just("h100"),
        gpus=st.integers(0, 8),
        duration=st.integers(300, 10**7).map(lambda seconds: dt.timedelta(seconds=seconds)),
        disk=st.none() | st.just("work"),
        max_wait=st.none() | st.integers(1, 10**6).map(lambda seconds: dt.timedelta(seconds=seconds)),
        agent_forwarding=st.booleans(),
        env_names=st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(tuple),
    )
)
def test_what_is_stored_is_read_back_the_same(request_):
    assert request_from_json(request_to_json(request_)) == request_


def test_fields_of_a_later_version_are_left_out():
    assert request_from_json(request_to_json(GOOD) | {"colour": "blue"}) == GOOD
