"""The public laws of compute, over pods of a real cluster."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.testing import ComputeContract, PluginContract


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, place, context):
        return PodCompute(place.settings(), context)

    @pytest.fixture
    def other_compute(self, place, other_context):
        return PodCompute(place.settings(), other_context)


class TestPlugin(PluginContract):
    entry_point = "kube"
