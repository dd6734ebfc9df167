"""Which device nodes a box gets."""

from __future__ import annotations

import pathlib

import pytest

from gpudev_sdk.errors import NoCapacity
from gpudev_sdk.local import catalogue, devices
from gpudev_sdk.local.gpus import Gpu
from gpudev_sdk.local.settings import LocalSettings


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch):
    gpus = tuple(
        Gpu(index=index, uuid=f"GPU-{index}", minor=minor, product="NVIDIA H100", memory_bytes=1)
        for index, minor in ((0, 3), (1, 1))
    )
    monkeypatch.setattr(catalogue, "find_gpus", lambda: gpus)


def test_a_gpu_is_found_by_its_minor_number():
    assert devices.nodes_of(LocalSettings(), "h100", (0,))[:1] == (pathlib.Path("/dev/nvidia3"),)


def test_gpus_not_held_are_not_among_them():
    assert pathlib.Path("/dev/nvidia3") not in devices.nodes_of(LocalSettings(), "h100", (1,))


def test_types_made_up_or_without_gpus_have_none():
    assert devices.nodes_of(LocalSettings(pretend="a100:2"), "a100", (0,)) == ()
    assert devices.nodes_of(LocalSettings(), "cpu", (0,)) == ()


def test_a_gpu_that_is_kept_out_of_the_pool_cannot_be_held():
    with pytest.raises(NoCapacity, match="number 1"):
        devices.nodes_of(LocalSettings(gpus=[0]), "h100", (1,))
