"""The HTTP API: Litestar at the edge, the engine in threads."""

from __future__ import annotations
