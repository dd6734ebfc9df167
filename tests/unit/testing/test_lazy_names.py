"""The simulated cloud is public, and costs a suite nothing that does not use it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gpudev_sdk import testing


def test_a_suite_loads_no_simulated_cloud():
    program = "import sys, gpudev_sdk.testing as t; t.ComputeContract; print([n for n in sys.modules if 'cloud' in n])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_simulated_cloud_is_reached_by_its_public_names():
    from gpudev_sdk.testing import cloud

    assert testing.SimulatedCloud is cloud.SimulatedCloud
    assert testing.Weather is cloud.Weather


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Sunshine'"):
        testing.Sunshine  # noqa: B018


def test_it_needs_neither_engine_nor_database():
    program = "import sys, gpudev_sdk.testing.cloud; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "gpudev_sdk.testing.cloud.cloud" in loaded
    never = ("gpudev_sdk.engine", "gpudev_sdk.store", "gpudev_sdk.client", "gpudev_sdk.local", "psycopg")
    assert [name for name in loaded if name.startswith(never)] == []
