"""All the testing that a plugin needs: the public laws, over its classes."""

from __future__ import annotations

import pathlib

import pytest
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage

from gpudev_sdk.domain.disk import Mount
from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract, SnapshotContract, StorageContract


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context: Context) -> ExampleCompute:
        return ExampleCompute(ExampleSettings(), context)


class Disks:
    @pytest.fixture
    def storage(self, context: Context) -> ExampleStorage:
        return ExampleStorage(ExampleSettings(), context)

    def write(self, mount: Mount, content: bytes) -> None:
        pathlib.Path(mount.source, "word").write_bytes(content)

    def read(self, mount: Mount) -> bytes:
        return pathlib.Path(mount.source, "word").read_bytes()


class TestStorage(Disks, StorageContract): ...


class TestSnapshots(Disks, SnapshotContract): ...


class TestIdentity(IdentityContract):
    @pytest.fixture
    def identity(self, context: Context) -> ExampleIdentity:
        return ExampleIdentity(ExampleSettings(word="open sesame"), context)


class TestPlugin(PluginContract):
    entry_point = "example"
