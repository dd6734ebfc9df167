"""gpudev_sdk.client."""

from __future__ import annotations
