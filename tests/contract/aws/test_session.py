"""How AWS is called: once a service, with limits on how often and how long."""

from __future__ import annotations

import itertools
import threading

import pytest

from gpudev_aws import catalogue
from gpudev_aws.calls import Calls
from gpudev_aws.errors import translated
from gpudev_aws.session import Session
from gpudev_sdk import clock
from gpudev_sdk.errors import TryLater

NUMBERS = itertools.count(1)


@pytest.fixture
def still():
    """A clock that goes on only when somebody waits."""
    now = [1000.0]
    clock.install(lambda: now[0])

    def wait(seconds):
        waited.append(seconds)
        now[0] += seconds

    waited = wait.waited = []
    yield wait
    clock.install(None)


@pytest.fixture
def session(weather, still):
    # A pace of its own: they are kept by how much they allow.
    made = Session("us-east-1", weather.address, 5.0 + next(NUMBERS) / 1000, wait=still)
    yield made
    made.close()


def ask(session):
    with translated("see the zones"):
        session.client("ec2").describe_availability_zones()


def test_a_client_is_made_once_whoever_asks(session):
    found = []
    threads = [threading.Thread(target=lambda: found.append(session.client("ec2"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, found))) == 1
    assert session.client("ec2", tries=1) is not session.client("ec2")


def test_making_one_dials_nobody(session, weather):
    session.client("ec2")

    assert weather.calls == []


def test_it_has_limits_and_says_who_it_is(session):
    config = session.client("ec2").meta.config

    assert (config.connect_timeout, config.read_timeout) == (5.0, 15.0)
    assert config.retries["total_max_attempts"] == 2
    assert "gpudev-aws" in config.user_agent
    assert session.client("ec2", tries=1).meta.config.retries["total_max_attempts"] == 1


def test_calls_wait_for_their_turn(session, still, weather):
    for _ in range(15):
        ask(session)

    assert weather.count("DescribeAvailabilityZones") == 15
    assert len(still.waited) >= 4
    assert max(still.waited) < 2


def test_a_call_that_would_wait_too_long_is_put_off_and_not_made(weather, still):
    session = Session("us-east-1", weather.address, 0.75, wait=lambda seconds: None)
    made, put_off = 0, None
    for _ in range(10):
        try:
            ask(session)
            made += 1
        except TryLater as error:
            put_off = error
    session.close()

    assert put_off.message == "too many calls to AWS (ec2) wait already"
    assert weather.count("DescribeAvailabilityZones") == made == 3


def test_every_try_takes_its_turn_and_each_refusal_slows_the_next_down(session, weather, still):
    refusal = (503, "RequestLimitExceeded", "no")
    weather.refuse["*"] = [refusal] * 4
    for _ in range(2):
        with pytest.raises(TryLater, match="too often"):
            ask(session)

    assert weather.count("DescribeAvailabilityZones") == 4
    assert sorted(still.waited)[-1] > 0.5


def test_sessions_of_one_place_share_their_pace(weather, still):
    pair = [Session("us-east-1", weather.address, 3.25, wait=still) for _ in range(2)]
    for _ in range(4):
        for session in pair:
            ask(session)
    for session in pair:
        session.close()

    assert still.waited


def test_an_api_does_not_wait_for_another(weather, still):
    session = Session("us-east-1", weather.address, 1.125, wait=still)
    for _ in range(3):
        ask(session)
    before = list(still.waited)
    session.client("sts").get_caller_identity()
    session.close()

    assert before
    assert still.waited == before


def test_a_call_that_is_not_to_be_made_twice_is_made_once(session, weather):
    calls = Calls(session)
    weather.refuse["*"] = [(503, "Unavailable", "no")] * 3
    with pytest.raises(TryLater):
        calls.once("see the zones", "describe_availability_zones")
    assert weather.count("DescribeAvailabilityZones") == 1

    with pytest.raises(TryLater):
        calls.one("see the zones", "describe_availability_zones")
    assert weather.count("DescribeAvailabilityZones") == 3


def test_the_types_of_a_real_catalogue_are_read(session):
    found = catalogue.describe(Calls(session), ["p5.48xlarge", "g5.xlarge", "m5.large"])

    assert {each.name: (each.gpu_type, each.gpus) for each in found} == {
        "p5.48xlarge": ("h100", 8),
        "g5.xlarge": ("a10g", 1),
        "m5.large": ("cpu", 0),
    }
