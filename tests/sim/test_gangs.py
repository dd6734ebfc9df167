"""A seed in which people ask for several nodes at once."""

from __future__ import annotations

from tests.sim.knobs import GANGS_FROM
from tests.sim.seeds import live


def test_a_seed_rich_in_gangs_breaks_no_law(database):
    assert len(live(GANGS_FROM, database).judge.gangs) >= 5
