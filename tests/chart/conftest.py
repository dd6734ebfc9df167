"""Without helm nothing here can be tried."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(autouse=True)
def _helm():
    if shutil.which("helm") is None:
        pytest.skip("helm is not installed: PATH=$(tools/chart-tools):$PATH")
