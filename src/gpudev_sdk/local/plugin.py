"""The built-in plugin `local`: this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk.hookspecs import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes on this machine."""
    from gpudev_sdk.local.compute import LocalCompute

    return LocalCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks in a folder of this machine."""
    from gpudev_sdk.local.storage import LocalStorage

    return LocalStorage
