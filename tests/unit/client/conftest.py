"""A stub of the API for the client's tests."""

from __future__ import annotations

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from stub_api import Stub

from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.connecting import open_api
from gpudev_sdk.client.places import Places, find_places


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    """An empty client's folders, and the stub's data folder."""
    (tmp_path / "home").mkdir()
    env = {
        "HOME": str(tmp_path / "home"),
        "GPUDEV_DATA": str(tmp_path / "data"),
        "GPUDEV_CONFIG": str(tmp_path / "config"),
    }
    return find_places(env)


@pytest.fixture
def stub(places: Places):
    """A server on the local socket."""
    made = Stub(places.data)
    yield made
    made.stop()


@pytest.fixture
def calls(places: Places, stub: Stub):
    """A client of the stub."""
    api, name = open_api(places, timeout=2.0)
    with Calls(api, places, name) as opened:
        yield opened
