"""Contract suites for plugin authors: subclass one per provider, give it the provider as a fixture, and run pytest.

```python
from gpudev_sdk.testing import ComputeContract, PluginContract

class TestCompute(ComputeContract):
    provider = MyCompute

class TestPlugin(PluginContract):
    entry_point = "mine"
```

Every test is a law of docs/plugins/contract.md, whose number it cites. pytest is needed to use this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gpudev_sdk.testing.cloud import CloudNode as CloudNode
    from gpudev_sdk.testing.cloud import SimulatedCloud as SimulatedCloud
    from gpudev_sdk.testing.cloud import SimulatedCompute as SimulatedCompute
    from gpudev_sdk.testing.cloud import SimulatedIdentity as SimulatedIdentity
    from gpudev_sdk.testing.cloud import SimulatedSettings as SimulatedSettings
    from gpudev_sdk.testing.cloud import SimulatedStorage as SimulatedStorage
    from gpudev_sdk.testing.cloud import Span as Span
    from gpudev_sdk.testing.cloud import VirtualClock as VirtualClock
    from gpudev_sdk.testing.cloud import Weather as Weather

pytest.register_assert_rewrite(
    *(
        f"gpudev_sdk.testing.{name}"
        for name in ("compute", "gangs", "storage", "snapshots", "objects", "shares", "scaling", "identity", "plugin")
    )
)

from gpudev_sdk.testing.compute import ComputeContract  # noqa: E402
from gpudev_sdk.testing.identity import IdentityContract  # noqa: E402
from gpudev_sdk.testing.objects import ObjectStorageContract  # noqa: E402
from gpudev_sdk.testing.plugin import PluginContract  # noqa: E402
from gpudev_sdk.testing.scaling import ScalingContract, SpotContract  # noqa: E402
from gpudev_sdk.testing.shares import SharedStorageContract  # noqa: E402
from gpudev_sdk.testing.snapshots import SnapshotContract  # noqa: E402
from gpudev_sdk.testing.storage import StorageContract  # noqa: E402

#: Loaded when first used: the suites need no simulated cloud.
_CLOUD = (
    "CloudNode",
    "SimulatedCloud",
    "SimulatedCompute",
    "SimulatedIdentity",
    "SimulatedSettings",
    "SimulatedStorage",
    "Span",
    "VirtualClock",
    "Weather",
)

__all__ = [
    "CloudNode",
    "ComputeContract",
    "IdentityContract",
    "ObjectStorageContract",
    "PluginContract",
    "ScalingContract",
    "SharedStorageContract",
    "SimulatedCloud",
    "SimulatedCompute",
    "SimulatedIdentity",
    "SimulatedSettings",
    "SimulatedStorage",
    "SnapshotContract",
    "Span",
    "SpotContract",
    "StorageContract",
    "VirtualClock",
    "Weather",
]


def __getattr__(name: str) -> Any:
    if name not in _CLOUD:
        raise AttributeError(f"module 'gpudev_sdk.testing' has no attribute {name!r}")
    return getattr(importlib.import_module("gpudev_sdk.testing.cloud"), name)
