"""Hands a check of a live backend to `gpudev-services`, which reads a server's configuration; clients do without it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence

from gpudev_sdk.errors import ConfigError

_MAIN = "gpudev_services.backends.check"


def become_check(arguments: Sequence[str]) -> None:
    """Turn this process into the check; raise ConfigError where the services are not installed."""
    if importlib.util.find_spec("gpudev_services") is None:
        raise ConfigError(
            "checking a backend needs the distribution gpudev-services", hint="Install it: pip install gpudev-services"
        )
    if any("\0" in argument for argument in arguments):
        raise ConfigError("an argument holds a NUL")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", _MAIN, *arguments])
