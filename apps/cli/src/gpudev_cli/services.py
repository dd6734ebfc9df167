"""Runs the mains of `gpudev-services`, which is a distribution of its own: clients do without it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence

from gpudev_sdk.errors import ConfigError


def become_service(arguments: Sequence[str], module: str = "gpudev_services") -> None:
    """Turn this process into `python -m gpudev_services …`, or a main of it; raise ConfigError where that is not installed."""
    if importlib.util.find_spec("gpudev_services") is None:
        raise ConfigError("this needs the distribution gpudev-services", hint="Install it: pip install gpudev-services")
    for argument in arguments:
        if "\0" in argument:
            raise ConfigError("an argument holds a NUL")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
