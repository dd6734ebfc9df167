"""Some seeds of the simulation with every change, as in `test_more_seeds`; `make sim` runs hundreds."""

from __future__ import annotations

import pytest

from tests.sim.seeds import live


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_a_seed_breaks_no_law(seed, database):
    live(seed, database)
