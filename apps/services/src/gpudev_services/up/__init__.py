"""`gpudev up`: everything in one process, on one machine."""

from __future__ import annotations
