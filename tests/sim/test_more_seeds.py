"""More seeds, beside the others: each file has a process of its own."""

from __future__ import annotations

import pytest

from tests.sim.seeds import live


@pytest.mark.parametrize("seed", range(1003, 1006))
def test_a_seed_breaks_no_law(seed, database):
    live(seed, database)
