"""A fake API server, and the world around it."""

from __future__ import annotations

import threading
import time

import pytest

from gpudev_sdk import clock
from tests.unit.kube.bench import Bench
from tests.unit.kube.fake_api import FakeApi


@pytest.fixture
def fake():
    made = FakeApi()
    yield made
    made.close()


@pytest.fixture
def api(fake):
    return fake.api()


@pytest.fixture
def eventually():
    """Return the only waiting there is, for what another thread does."""

    def until(is_so, seconds=10.0):
        deadline, tick = time.monotonic() + seconds, threading.Event()
        while not is_so():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            tick.wait(0.005)

    return until


@pytest.fixture
def passing():
    """Return a function that lets seconds pass on the clock of this process."""
    ahead = [0.0]
    clock.install(lambda: time.monotonic() + ahead[0])

    def let_pass(seconds):
        ahead[0] += seconds

    yield let_pass
    clock.install(None)


@pytest.fixture
def bench(fake):
    made = Bench(fake)
    yield made
    made.stop()
