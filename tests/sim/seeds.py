"""What every seed of the suite is held to."""

from __future__ import annotations

from tests.fix_database import Database
from tests.sim.simulation import Simulation

LIFECYCLES = 52


def live(seed: int, database: Database) -> Simulation:
    """Live through a seed, which must have been worth it."""
    sim = Simulation(seed, database, LIFECYCLES).run()
    assert len(sim.book.acknowledged) >= LIFECYCLES * 2 // 3
    assert sim.judge.checks > 200
    assert sim.judge.plans >= LIFECYCLES // 2
    return sim
