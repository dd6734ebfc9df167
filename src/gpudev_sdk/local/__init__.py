"""gpudev_sdk.local."""

from __future__ import annotations
