"""The built-in plugin `kube`: any Kubernetes that a kubeconfig or a service account reaches."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from gpudev_sdk.errors import MissingAbility
from gpudev_sdk.hookspecs import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import Compute, Storage


@hookimpl
def gpudev_register_compute() -> type[Compute]:
    """Offer boxes as pods."""
    _need_client()
    from gpudev_sdk.kube.compute import PodCompute

    return PodCompute


@hookimpl
def gpudev_register_storage() -> type[Storage]:
    """Offer disks as claims of a storage class that can snapshot."""
    _need_client()
    from gpudev_sdk.kube.storage import ClaimStorage

    return ClaimStorage


def _need_client() -> None:
    """Say what is lacking before an import does."""
    if importlib.util.find_spec("kubernetes") is None:
        raise MissingAbility("kube needs the client of Kubernetes", hint="Install it: pip install 'gpudev-sdk[kube]'")
