"""Copies of a cluster in virtual time: late, silent, broken off, and the same each time."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from gpudev_sdk import clock as process_clock
from gpudev_sdk.kube.kinds import POD
from gpudev_sdk.testing.cloud import SimulatedCloud, VirtualClock, Weather
from tests.sim.clouds import copies
from tests.sim.simulation import START
from tests.unit.kube.fake_api import NAMESPACE, FakeApi


class Bench:
    """One API server, a clock, and a copy of its pods."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.asleep = 0.0
        process_clock.install(lambda: self.clock.monotonic() - self.asleep)
        self.fake = FakeApi()
        self.cloud = SimulatedCloud(self.clock, random.Random(7), Weather.calm())
        self.feed = copies.Feed(self.fake.store, self.cloud)
        self.copy = self.feed.copy(self.fake.api(), POD)

    def pass_by(self, seconds: float) -> None:
        self.clock.advance(dt.timedelta(seconds=seconds))

    def make(self, name: str) -> None:
        self.fake.store.create(("pods", NAMESPACE, name), {"kind": "Pod", "metadata": {"name": name}, "spec": {}})

    def shows(self, name: str) -> bool:
        return self.copy.wait(0) and self.copy.find(name) is not None


@pytest.fixture
def bench():
    made = Bench()
    yield made
    process_clock.install(None)
    made.fake.close()


def test_what_is_new_is_shown_when_its_time_has_come_and_what_was_there_at_once(bench):
    bench.make("old")
    assert bench.shows("old")
    bench.make("new")
    assert not bench.shows("new")
    bench.pass_by(copies.PROMPT)
    assert bench.shows("new")
    assert [call.verb for call in bench.fake.calls] == ["list"]


def test_a_silent_watch_is_believed_for_half_a_minute_and_then_no_more(bench, monkeypatch):
    assert bench.copy.wait(0)
    monkeypatch.setattr(copies, "SILENT", 1.0)
    monkeypatch.setattr(bench.feed, "silence", lambda: bench.clock.now + dt.timedelta(seconds=60))
    bench.cloud.weather = Weather(failed_call=0.1)
    bench.make("unseen")
    bench.pass_by(29)
    assert bench.copy.wait(0) and bench.copy.find("unseen") is None
    bench.pass_by(2)
    assert not bench.copy.wait(0)
    bench.cloud.weather = Weather.calm()
    bench.pass_by(60)
    assert bench.shows("unseen")


def test_a_watch_that_broke_off_is_not_believed_until_all_is_listed_again(bench, monkeypatch):
    assert bench.copy.wait(0)
    monkeypatch.setattr(copies, "BROKEN", 1.0)
    bench.cloud.weather = Weather(failed_call=0.1)
    assert not bench.copy.wait(0)
    bench.cloud.weather = Weather.calm()
    bench.make("missed")
    bench.pass_by(1)
    assert bench.shows("missed")
    assert len(bench.fake.calls) == 2


def test_a_list_that_failed_is_tried_again_after_a_moment(bench):
    bench.fake.trouble = lambda call: "cut"
    assert not bench.copy.wait(0)
    assert not bench.copy.wait(0)
    assert len(bench.fake.calls) == 1
    bench.fake.trouble = lambda call: None
    bench.pass_by(1)
    assert bench.copy.wait(0)


def test_a_process_that_slept_may_wake_up_with_old_news(bench, monkeypatch):
    assert bench.copy.wait(0)
    monkeypatch.setattr(bench.cloud.rng, "random", lambda: 0.1)
    bench.pass_by(600)
    bench.asleep += 600
    bench.make("overslept")
    bench.pass_by(1)
    assert bench.copy.wait(0) and bench.copy.find("overslept") is None
