"""The public laws of compute, over `local`."""

from __future__ import annotations

import pytest

from gpudev_sdk.local.compute import LocalCompute
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.testing import ComputeContract

pytestmark = pytest.mark.sandbox

SETTINGS = LocalSettings(free_floor_bytes=0, pretend="h100:8")


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context):
        return LocalCompute(SETTINGS, context)

    @pytest.fixture
    def other_compute(self, other_context):
        return LocalCompute(SETTINGS, other_context)
