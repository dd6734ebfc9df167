"""All the testing that a plugin needs: the public laws, over its classes."""

from __future__ import annotations

from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage

from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract, SnapshotContract, StorageContract


class TestCompute(ComputeContract):
    provider = ExampleCompute


class TestStorage(StorageContract, SnapshotContract):
    provider = ExampleStorage


class TestIdentity(IdentityContract):
    provider = ExampleIdentity
    settings = ExampleSettings(word="open sesame")


class TestPlugin(PluginContract):
    entry_point = "example"
