"""A seed over each plugin of a cloud, on the fake of its API; `make sim CLOUD=aws SEED=1` is another."""

from __future__ import annotations

import pytest

from tests.sim.simulation import Simulation

LIFECYCLES = 16


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_seed_over_a_plugin_breaks_no_law(cloud, database):
    sim = Simulation(1, database, LIFECYCLES, cloud).run()
    assert len(sim.book.acknowledged) >= LIFECYCLES - 1
    assert sim.faults.total >= 100
