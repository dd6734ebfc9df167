"""gpudev_sdk.engine."""

from __future__ import annotations
