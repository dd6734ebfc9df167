"""Listeners are told at least once, in order per reservation, and never skip what commits late."""

from __future__ import annotations

import attrs
import pluggy
import pytest

from gpudev_sdk import hookspecs
from gpudev_sdk.engine.listeners import Teller, Telling
from gpudev_sdk.hookspecs import hookimpl
from gpudev_sdk.plugins import GROUP, Plugin


@attrs.define
class Slack:
    """A listener that keeps what it was told, and fails when it is asked to."""

    heard: list = attrs.field(factory=list)
    failing: int = 0

    @hookimpl
    def gpudev_reservation_changed(self, event):
        if self.failing:
            self.failing -= 1
            raise ConnectionError("slack is down")
        self.heard.append(event)


def as_plugin(listener, name="slack"):
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(listener, name)
    return Plugin(name=name, distribution="gpudev-slack", version="1", hooks=manager)


@pytest.fixture
def slack():
    return Slack()


@pytest.fixture
def teller(bench, slack):
    made = Teller(bench.engine, as_plugin(slack))
    made.begin()
    return made


def test_it_is_told_of_every_change_in_order(bench, kim, slack, teller):
    made = bench.submit(kim)
    bench.work(made)
    teller.tell()
    assert [event.to_state for event in slack.heard if event.from_state != event.to_state] == [
        "queued", "preparing", "active",
    ]  # fmt: skip
    assert {event.reservation_id for event in slack.heard} == {made}
    assert [event.number for event in slack.heard] == sorted(event.number for event in slack.heard)


def test_it_is_told_once_when_all_goes_well(bench, kim, slack, teller):
    bench.submit(kim)
    teller.tell()
    teller.tell()
    assert len(slack.heard) == 1


def test_what_it_failed_at_is_told_again_and_nothing_after_it_before(bench, kim, slack, teller):
    first, second = bench.submit(kim), bench.submit(kim, gpus=2)
    slack.failing = 1
    with pytest.raises(ConnectionError):
        teller.tell()
    assert slack.heard == []
    teller.tell()
    assert [event.reservation_id for event in slack.heard] == [first, second]


def test_what_commits_late_is_not_skipped(bench, kim, slack, teller):
    with bench.engine.store.transaction() as open_one:
        # It has its transaction id and stays open while a later one commits.
        open_one.execute("SELECT pg_current_xact_id()")
        bench.submit(kim)
        teller.tell()
        assert slack.heard == []
    teller.tell()
    assert len(slack.heard) == 1


def test_a_new_listener_is_not_told_of_what_was_before(bench, kim, slack):
    bench.submit(kim)
    teller = Teller(bench.engine, as_plugin(slack))
    teller.begin()
    teller.tell()
    assert slack.heard == []


def test_a_restart_goes_on_where_it_was(bench, kim, slack, teller):
    bench.submit(kim)
    again = Teller(bench.engine, as_plugin(slack))
    again.begin()
    again.tell()
    assert len(slack.heard) == 1


def test_a_plugin_without_the_hook_is_told_nothing(bench):
    assert Telling(bench.engine, [as_plugin(object(), "policy")])._tellers == []
