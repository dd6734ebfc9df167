"""The built-in plugin `kube`: any Kubernetes that a kubeconfig or a service account reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk.hookspecs import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes as pods."""
    from gpudev_sdk.kube.compute import PodCompute

    return PodCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks as claims of a storage class that can snapshot."""
    from gpudev_sdk.kube.storage import ClaimStorage

    return ClaimStorage
