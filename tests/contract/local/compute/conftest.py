"""A machine whose boxes are all gone when the test is over."""

from __future__ import annotations

import os
import shutil

import pytest

from gpudev_sdk.local.sandbox import find_bwrap
from tests.contract.local.compute.machine import Machine, leftovers


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("sandbox") and find_bwrap() is None:
            item.add_marker(pytest.mark.skip(reason="bubblewrap is not installed; boxes with walls cannot be tried"))


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.again()
    for server_id in made.launched:
        made.stop(server_id)
    assert leftovers(tmp_path) == []


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root: several people share a machine only then")


@pytest.fixture
def ssh_program():
    if shutil.which("ssh") is None:
        pytest.skip("the system has no ssh")
