"""gpudev_sdk.wire."""

from __future__ import annotations
