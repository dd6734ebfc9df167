"""A seed ends: what never comes to rest, and what never comes to its end, fails it and is told."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.testing.cloud import SimulatedCompute
from tests.sim import simulation
from tests.sim.simulation import Simulation, Violated


def test_a_seed_that_takes_too_many_turns_fails_and_tells_what_was_left(database, monkeypatch):
    monkeypatch.setattr(simulation, "MOST_TURNS", 400)
    with pytest.raises(Violated, match=r"did not become quiet, 400 turns in 0:\d\d:\d\d[^\n]*'state': '"):
        Simulation(1, database, 8).run()


def test_a_seed_with_a_box_that_cannot_be_ended_fails_in_its_time_and_keeps_nobody_busy(database, monkeypatch):
    monkeypatch.setattr(simulation, "SETTLED_WITHIN", dt.timedelta(minutes=40))
    monkeypatch.setattr(SimulatedCompute, "terminate", lambda compute, server_id: None)
    sim = Simulation(1, database, 4)
    with pytest.raises(Violated, match=r"not everything came to its end in 0:40:00[^\n]*'state': 'stopping'"):
        sim.run()
    assert sim.steps < 20_000
