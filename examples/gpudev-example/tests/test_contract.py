"""All the testing that a plugin needs: the public laws, over its classes."""

from __future__ import annotations

import pytest
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings

from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context: Context) -> ExampleCompute:
        return ExampleCompute(ExampleSettings(), context)


class TestIdentity(IdentityContract):
    @pytest.fixture
    def identity(self, context: Context) -> ExampleIdentity:
        return ExampleIdentity(ExampleSettings(word="open sesame"), context)


class TestPlugin(PluginContract):
    entry_point = "example"
