"""gpudev_sdk.store."""

from __future__ import annotations
