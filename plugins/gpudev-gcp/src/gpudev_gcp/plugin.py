"""The hooks of `gcp`. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, IdentityProvider, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes as pods of a GKE cluster."""
    from gpudev_gcp.compute import GcpCompute

    return GcpCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks on Persistent Disk and Hyperdisk, with snapshots."""
    from gpudev_gcp.storage import GcpStorage

    return GcpStorage


@hookimpl
def gpudev_register_identity() -> type[IdentityProvider]:
    """Offer a login by Google's ID tokens."""
    from gpudev_gcp.identity import GcpIdentity

    return GcpIdentity
