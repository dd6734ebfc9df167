"""The public laws over the built-in backend `local`: compute, and the plugin as a distribution offers it."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.local.compute import LocalCompute
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.testing import ComputeContract, PluginContract

SETTINGS = LocalSettings(pretend="h100:8", free_floor_bytes=0)


class TestCompute(ComputeContract):
    #: The first launch also tries the sandbox out.
    budget = 15.0

    @pytest.fixture
    def compute(self, context):
        return LocalCompute(SETTINGS, context)

    @pytest.fixture
    def other_compute(self, other_context, tmp_path):
        elsewhere = tmp_path / "other-install"
        elsewhere.mkdir()
        return LocalCompute(SETTINGS, attrs.evolve(other_context, data_folder=elsewhere))


class TestPlugin(PluginContract):
    entry_point = "local"
