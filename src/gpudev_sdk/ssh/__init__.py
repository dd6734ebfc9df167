"""gpudev_sdk.ssh."""

from __future__ import annotations
