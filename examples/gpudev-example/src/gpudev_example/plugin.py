"""The hooks. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations

from gpudev_sdk import hookimpl
from gpudev_sdk.providers import Compute, IdentityProvider, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    from gpudev_example.providers import ExampleCompute

    return ExampleCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    from gpudev_example.providers import ExampleStorage

    return ExampleStorage


@hookimpl
def gpudev_register_identity() -> type[IdentityProvider]:
    from gpudev_example.providers import ExampleIdentity

    return ExampleIdentity
