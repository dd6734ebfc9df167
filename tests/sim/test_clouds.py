"""A seed over each plugin of a cloud, on the fakes of its APIs; `make sim CLOUD=aws SEED=1` is another."""

from __future__ import annotations

import pytest

from tests.sim.simulation import Simulation


@pytest.mark.parametrize(("cloud", "seed", "lifecycles", "gangs"), [("aws", 3, 24, 1), ("gcp", 9, 22, 2)])
def test_a_seed_over_a_plugin_breaks_no_law(cloud, seed, lifecycles, gangs, database):
    sim = Simulation(seed, database, lifecycles, cloud).run()
    assert len(sim.book.acknowledged) >= 15
    assert len(sim.cloud.mounts) >= 5
    assert len(sim.judge.gangs) >= gangs
    assert len(sim.cloud.deletions) >= 2 and len(sim.cloud.snapshot_deletions) >= 1
    assert sim.cloud.cluster.feed.told >= 500
    assert sim.faults.total + sum(sim.cloud.faults.values()) + sum(sim.fate.done.values()) >= 200
    assert {"wire: cut", "wire: lose", "died in a call"} & sim.cloud.faults.keys()
