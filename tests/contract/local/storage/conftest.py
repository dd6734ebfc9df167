"""The scratch storage of these tests."""

from __future__ import annotations

import pytest

from tests.contract.local.storage.places import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)
