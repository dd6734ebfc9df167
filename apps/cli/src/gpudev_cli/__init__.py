"""Thin over gpudev_sdk."""

from __future__ import annotations
