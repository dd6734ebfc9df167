"""A simulated cloud whose time passes only where a suite would wait."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from gpudev_sdk.errors import TryLater
from gpudev_sdk.testing.cloud import SimulatedCloud, SimulatedSettings, VirtualClock
from gpudev_sdk.testing.cloud.cloud import NODES

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STEP, PATIENCE = dt.timedelta(seconds=1), dt.timedelta(minutes=30)


class Simulated:
    """How the suites reach a simulated cloud; `weather` is the class's own."""

    weather = None
    nodes = None

    @pytest.fixture
    def cloud(self):
        return SimulatedCloud(VirtualClock(START), random.Random(7), self.weather, self.nodes or NODES)

    @pytest.fixture
    def settings(self, cloud):
        return SimulatedSettings(cloud=cloud)

    @pytest.fixture
    def settle(self, cloud):
        """Return the only waiting: virtual time passes until something is so."""

        def until(is_so):
            end = cloud.clock.now + PATIENCE
            while not _is_so(is_so):
                if cloud.clock.now > end:
                    pytest.fail(f"not within {PATIENCE} of virtual time")
                cloud.advance(STEP)

        return until


def _is_so(is_so):
    try:
        return is_so()
    except TryLater:
        return False
