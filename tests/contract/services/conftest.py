"""Installs of separate processes."""

from __future__ import annotations

import pytest

from tests.contract.services.apart import make


@pytest.fixture(scope="module")
def bare():
    """An install whose database nobody migrated, shared by a module's tests."""
    made = make()
    yield made
    made.close()


@pytest.fixture(scope="module")
def apart(bare):
    """An install that was migrated."""
    done = bare.run("migrate", "--wait", "30")
    assert done.returncode == 0, done.stderr
    return bare
