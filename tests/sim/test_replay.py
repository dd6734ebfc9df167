"""A seed is a whole run: the same every time, in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT
from tests.sim.faults import CELLS, focus_of
from tests.sim.simulation import Simulation


@pytest.mark.parametrize(("cloud", "seed"), [("simulated", 8), ("gcp", 9)])
def test_a_seed_is_the_same_run_in_another_process(cloud, seed, database):
    first = Simulation(seed, database, 6, cloud).run().digest()
    told = subprocess.run(
        [sys.executable, "-m", "tests.sim", "--cloud", cloud, "--seed", str(seed), "--lifecycles", "6"],
        cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert first in told.stderr


def test_over_the_seeds_every_step_is_looked_at_in_every_way():
    assert {cell for seed in range(len(CELLS)) for cell in focus_of(seed)} == set(CELLS)
