"""What a plugin fulfils: the abstract classes of compute, storage and identity, and abilities beside them."""

from __future__ import annotations

from gpudev_sdk.providers.abilities import Gang, Installable
from gpudev_sdk.providers.compute import Compute
from gpudev_sdk.providers.context import Context
from gpudev_sdk.providers.identity import IdentityProvider
from gpudev_sdk.providers.objects import ObjectStorage
from gpudev_sdk.providers.scaling import Scaling, Spot
from gpudev_sdk.providers.shares import SharedStorage
from gpudev_sdk.providers.storage import Storage

__all__ = [
    "Compute",
    "Context",
    "Gang",
    "IdentityProvider",
    "Installable",
    "ObjectStorage",
    "Scaling",
    "SharedStorage",
    "Spot",
    "Storage",
]
