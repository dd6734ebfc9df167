"""The hooks of `aws`. What only a provider needs is imported inside, so that naming the plugin costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, IdentityProvider, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes as pods of an EKS cluster."""
    from gpudev_aws.compute import AwsCompute

    return AwsCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks as EBS volumes, with snapshots."""
    from gpudev_aws.storage import AwsStorage

    return AwsStorage


@hookimpl
def gpudev_register_identity() -> type[IdentityProvider]:
    """Offer a login by AWS roles."""
    from gpudev_aws.identity import AwsIdentity

    return AwsIdentity
