"""Contract suites for plugin authors: subclass one per provider, give it the provider as a fixture, and run pytest.

```python
from gpudev_sdk.testing import ComputeContract, PluginContract

class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context):
        return MyCompute(MySettings(), context)

class TestPlugin(PluginContract):
    entry_point = "mine"
```

Every test is a law of docs/plugins/contract.md, whose number it cites. pytest is needed to use this package.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"gpudev_sdk.testing.{name}" for name in ("compute", "storage", "snapshots", "identity", "plugin"))
)

from gpudev_sdk.testing.compute import ComputeContract  # noqa: E402
from gpudev_sdk.testing.identity import IdentityContract  # noqa: E402
from gpudev_sdk.testing.plugin import PluginContract  # noqa: E402
from gpudev_sdk.testing.snapshots import SnapshotContract  # noqa: E402
from gpudev_sdk.testing.storage import StorageContract  # noqa: E402

__all__ = ["ComputeContract", "IdentityContract", "PluginContract", "SnapshotContract", "StorageContract"]
