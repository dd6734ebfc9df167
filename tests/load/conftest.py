"""Nodes with boxes that are files, and an engine over them."""

from __future__ import annotations

import pytest

from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import roles
from tests.load.crew import build_engine
from tests.load.folder_backend import Place


@pytest.fixture
def make_engine(open_store, tmp_path):
    """Make an engine that has seen its nodes."""

    def make(*, nodes=8):
        place = Place(tmp_path, nodes=nodes)
        place.prepare()
        engine = build_engine(open_store(roles.ENGINE, max_size=20), place)
        Claims(engine).start()
        Inventory(engine).take()
        return engine

    return make


@pytest.fixture
def engine(make_engine):
    """An engine with 8 nodes of 8 GPUs."""
    return make_engine()
