"""A pod that takes long says why, where the cluster wrote it down; one that does not costs no question."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk import clock
from gpudev_sdk.domain.server import Phase, Presence, Sighting
from gpudev_sdk.kube.delays import Delays
from gpudev_sdk.kube.seeing import STEPS

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
WARNING = 'MountVolume.SetUp failed for volume "home"'


def pod(age):
    made = (NOW - dt.timedelta(seconds=age)).isoformat()
    return {"metadata": {"name": "gd-1", "uid": "uid-1", "creationTimestamp": made}}


def seen(reason=STEPS[1], phase=Phase.STARTING):
    return Sighting(presence=Presence.PRESENT, phase=phase, reason=reason)


def warn(fake, message, at):
    name = f"event-{at}"
    body = {"kind": "Event", "metadata": {}, "message": message, "lastTimestamp": at, "type": "Warning"}
    fake.store.create(("events", "gpu-dev", name), body)


@pytest.fixture
def now():
    """The seconds of this process's clock, which the test moves."""
    time = [100.0]
    clock.install(lambda: time[0])
    yield time
    clock.install(None)


def test_a_pod_that_takes_long_tells_the_newest_warning(fake, now):
    warn(fake, "older", "2026-11-25T11:59:00Z")
    warn(fake, WARNING, "2026-11-25T11:59:30Z")

    told = Delays(fake.api()).explain(pod(20), seen(), NOW)

    assert told.reason == f"bringing disk and tools: {WARNING}"


@pytest.mark.parametrize(
    ("age", "sighting"),
    [
        (5, seen()),
        (20, seen(reason="", phase=Phase.READY)),
        (20, seen(reason="no place: 0/1 nodes")),
        (20, seen(phase=Phase.FINISHED)),
    ],
)
def test_nobody_is_asked_about_any_other(fake, age, sighting):
    api = fake.api()

    assert Delays(api).explain(pod(age), sighting, NOW) == sighting
    assert api.calls == 0


def test_an_answer_holds_for_a_while(fake, now):
    api = fake.api()
    delays = Delays(api)
    for _ in range(3):
        delays.explain(pod(20), seen(), NOW)
    assert api.calls == 1

    now[0] += 5
    delays.explain(pod(20), seen(), NOW)
    assert api.calls == 2


def test_without_warnings_or_an_answer_the_step_is_what_is_said(fake, now):
    delays = Delays(fake.api())
    assert delays.explain(pod(20), seen(), NOW) == seen()

    fake.refuse["list", "events"] = (403, "Forbidden", "no right to look")
    now[0] += 5
    assert delays.explain(pod(20), seen(), NOW) == seen()
