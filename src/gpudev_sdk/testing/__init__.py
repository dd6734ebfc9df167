"""gpudev_sdk.testing."""

from __future__ import annotations
