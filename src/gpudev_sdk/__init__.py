"""Share scarce GPUs as reserved dev servers.

    import gpudev_sdk as gpudev

    with gpudev.connect() as client:
        with client.reserve("h100", gpus=2, hours=4, disk="work") as box:  # released at the end
            print(box.run("nvidia-smi -L").stdout)

Names are loaded when they are first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpudev_sdk.client.aio import aconnect as aconnect
    from gpudev_sdk.client.box import CommandFailed as CommandFailed
    from gpudev_sdk.client.box import DevServer as DevServer
    from gpudev_sdk.client.box import RunResult as RunResult
    from gpudev_sdk.client.client import Client as Client
    from gpudev_sdk.client.client import connect as connect
    from gpudev_sdk.client.values import Availability as Availability
    from gpudev_sdk.client.values import Disk as Disk
    from gpudev_sdk.client.values import Reservation as Reservation
    from gpudev_sdk.errors import Conflict as Conflict
    from gpudev_sdk.errors import GpudevError as GpudevError
    from gpudev_sdk.errors import InvalidRequest as InvalidRequest
    from gpudev_sdk.errors import LimitReached as LimitReached
    from gpudev_sdk.errors import NoCapacity as NoCapacity
    from gpudev_sdk.errors import NotAllowed as NotAllowed
    from gpudev_sdk.errors import NotFound as NotFound
    from gpudev_sdk.errors import NotSignedIn as NotSignedIn
    from gpudev_sdk.errors import Refused as Refused
    from gpudev_sdk.errors import ServerUnreachable as ServerUnreachable
    from gpudev_sdk.errors import TimedOut as TimedOut
    from gpudev_sdk.errors import TooManyRequests as TooManyRequests
    from gpudev_sdk.errors import Unavailable as Unavailable
    from gpudev_sdk.hookspecs import hookimpl as hookimpl

_HOME = {
    "aconnect": "gpudev_sdk.client.aio",
    "CommandFailed": "gpudev_sdk.client.box",
    "DevServer": "gpudev_sdk.client.box",
    "RunResult": "gpudev_sdk.client.box",
    "Client": "gpudev_sdk.client.client",
    "connect": "gpudev_sdk.client.client",
    "Availability": "gpudev_sdk.client.values",
    "Disk": "gpudev_sdk.client.values",
    "Reservation": "gpudev_sdk.client.values",
    "Conflict": "gpudev_sdk.errors",
    "GpudevError": "gpudev_sdk.errors",
    "InvalidRequest": "gpudev_sdk.errors",
    "LimitReached": "gpudev_sdk.errors",
    "NoCapacity": "gpudev_sdk.errors",
    "NotAllowed": "gpudev_sdk.errors",
    "NotFound": "gpudev_sdk.errors",
    "NotSignedIn": "gpudev_sdk.errors",
    "Refused": "gpudev_sdk.errors",
    "ServerUnreachable": "gpudev_sdk.errors",
    "TimedOut": "gpudev_sdk.errors",
    "TooManyRequests": "gpudev_sdk.errors",
    "Unavailable": "gpudev_sdk.errors",
    "hookimpl": "gpudev_sdk.hookspecs",
}

__all__ = [
    "Availability",
    "Client",
    "CommandFailed",
    "Conflict",
    "DevServer",
    "Disk",
    "GpudevError",
    "InvalidRequest",
    "LimitReached",
    "NoCapacity",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "Refused",
    "Reservation",
    "RunResult",
    "ServerUnreachable",
    "TimedOut",
    "TooManyRequests",
    "Unavailable",
    "aconnect",
    "connect",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gpudev_sdk' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
