"""Listeners of an install with several processors: one of them tells, and when it is gone another does."""

from __future__ import annotations

import threading

import pluggy
import pytest

from gpudev_sdk import hookspecs
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.hookspecs import hookimpl
from gpudev_sdk.plugins import GROUP, Plugin
from gpudev_sdk.store import roles
from gpudev_sdk.store.bell import Ring
from gpudev_services.cluster import telling
from gpudev_services.cluster.telling import OneTeller
from tests.fix_install import until


class Slack:
    def __init__(self):
        self.heard = []

    @hookimpl
    def gpudev_reservation_changed(self, event):
        self.heard.append(event)


def as_plugin(listener):
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(listener, "slack")
    return Plugin(name="slack", distribution="gpudev-slack", version="1", hooks=manager)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(telling, "SIGN", 0.1)


@pytest.fixture
def two(bench, open_store):
    """Two processes' tellers, each with connections of its own."""
    made = []
    for _ in range(2):
        engine: Engine = bench.engine
        listener = Slack()
        own = type(engine)(
            store=open_store(roles.ENGINE), backends={}, limits=engine.limits, install_id=engine.install_id,
            control_plane_id=engine.control_plane_id, host_ca=engine.host_ca,
        )  # fmt: skip
        made.append((OneTeller(own, [as_plugin(listener)]), listener))
    yield made
    for teller, _ in made:
        teller.stop()


def telling_now(two):
    return [number for number, (teller, _) in enumerate(two) if teller._telling is not None]


def ring(two):
    for teller, _ in two:
        teller.rung(Ring("reservation"))


def test_only_one_of_two_tells(bench, kim, two):
    for teller, _ in two:
        teller.start()
    until(lambda: telling_now(two))
    bench.submit(kim)
    ring(two)
    until(lambda: any(slack.heard for _, slack in two), within=10)

    assert len(telling_now(two)) == 1
    assert sorted(len(slack.heard) for _, slack in two)[0] == 0


def test_when_it_ends_the_other_goes_on_where_it_was(bench, kim, two):
    (first, heard_first), (second, heard_second) = two
    first.start()
    until(lambda: telling_now(two))
    bench.submit(kim)
    ring(two)
    until(lambda: heard_first.heard, within=10)
    second.start()
    first.stop()
    until(lambda: telling_now(two) == [1])
    bench.submit(kim)
    ring(two)
    until(lambda: heard_second.heard, within=10)

    told = [event.reservation_id for event in (*heard_first.heard, *heard_second.heard)]
    assert len(told) == len(set(told)) == 2


def test_who_loses_the_lock_tells_no_more(bench, two):
    teller, _ = two[0]
    teller.start()
    until(lambda: telling_now(two))
    assert listening()
    teller.stop()

    until(lambda: not listening(), within=10)


def listening():
    return [thread for thread in threading.enumerate() if thread.name == "listener-slack"]


def test_what_holds_the_lock_holds_up_no_cleaning(bench, kim, two, store):
    """It writes nothing, and what it might still look at moves on with each sign of life."""
    two[0][0].start()
    until(lambda: telling_now(two))

    def held():
        with store.transaction() as conn:
            return conn.execute(
                "SELECT backend_xid, backend_xmin FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.objid = %s",
                (telling.LOCK,),
            ).fetchone()

    before = held()["backend_xmin"]
    bench.submit(kim)

    until(lambda: held()["backend_xmin"] is None or held()["backend_xmin"] != before)
    assert held()["backend_xid"] is None
