"""The hooks. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk import hookimpl

if TYPE_CHECKING:
    from gpudev_example.providers import ExampleCompute, ExampleIdentity


@hookimpl
def gpudev_register_compute() -> type[ExampleCompute]:
    from gpudev_example.providers import ExampleCompute

    return ExampleCompute


@hookimpl
def gpudev_register_identity() -> type[ExampleIdentity]:
    from gpudev_example.providers import ExampleIdentity

    return ExampleIdentity
