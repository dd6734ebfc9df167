"""What the tests of the client and of the command line share: an empty client, and a stub of the API."""

from __future__ import annotations

import pathlib
import shutil
import tempfile

import pytest

from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.connecting import open_api
from gpudev_sdk.client.places import Places, find_places
from gpudev_sdk.client.targets import find_target
from tests.unit.client.stub_api import Stub


@pytest.fixture
def room():
    """A short-named folder: a socket's path holds only 107 bytes."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="gd-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def environ(room: pathlib.Path) -> dict[str, str]:
    """The environment of a person with nothing but the stub's data folder."""
    (room / "home").mkdir()
    return {"HOME": str(room / "home"), "GPUDEV_DATA": str(room / "data"), "GPUDEV_CONFIG": str(room / "config")}


@pytest.fixture
def places(environ: dict[str, str]) -> Places:
    """Where that person's things lie."""
    return find_places(environ)


@pytest.fixture
def stub(places: Places):
    """A server on the local socket."""
    made = Stub(places.data)
    yield made
    made.stop()


@pytest.fixture
def calls(places: Places, stub: Stub):
    """A client of the stub that waits no longer than 2 s for an answer."""
    target = find_target(places)
    with Calls(open_api(places, target, timeout=2.0), places, target) as opened:
        yield opened
