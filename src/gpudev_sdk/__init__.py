"""Share scarce GPUs as reserved dev servers.

    import gpudev_sdk as gpudev

    with gpudev.connect() as client:
        print(client.availability())

Names are loaded when they are first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpudev_sdk.hookspecs import hookimpl as hookimpl

_HOME = {
    "hookimpl": "gpudev_sdk.hookspecs",
}

__all__ = ["hookimpl"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpudev_sdk' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
