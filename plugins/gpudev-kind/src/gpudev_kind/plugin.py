"""The hooks of `kind`. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, IdentityProvider, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes as pods of a kind cluster."""
    from gpudev_kind.compute import KindCompute

    return KindCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks as folders of its nodes, with snapshots."""
    from gpudev_kind.storage import KindStorage

    return KindStorage


@hookimpl
def gpudev_register_identity() -> type[IdentityProvider]:
    """Offer a login by service accounts."""
    from gpudev_kind.identity import KindIdentity

    return KindIdentity
