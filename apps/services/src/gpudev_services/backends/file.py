"""The server's configuration file, read and replaced whole."""

from __future__ import annotations

import os
import pathlib
import stat
import tempfile
import tomllib
from typing import Any

from gpudev_sdk.errors import ConfigError


def read(path: pathlib.Path) -> str:
    """Return the file's text; one that is not there is empty."""
    try:
        # Its own ends of lines are kept.
        with path.open(encoding="utf-8", newline="") as source:
            return source.read()
    except FileNotFoundError:
        return ""
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="Correct that, and run it again.") from error


def parse(path: pathlib.Path, text: str) -> dict[str, Any]:
    """Return what the text says; raise ConfigError, with the place, if it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="Correct that line, and run it again.") from error


def check_ours(path: pathlib.Path) -> None:
    """Raise ConfigError for a file that is there and cannot be replaced, before anything is begun."""
    target = path.resolve()
    if target.exists() and not os.access(target.parent, os.W_OK):
        raise ConfigError(
            f"{path} is {target}, which cannot be changed here",
            hint="In a cluster it is made of the chart's values: change config.backends there, and run helm upgrade.",
        )


def replace(path: pathlib.Path, before: str, text: str) -> None:
    """Put a text in the file's place, at once or not at all; raise ConfigError if somebody changed it meanwhile."""
    target = path.resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if read(target) != before:
        raise ConfigError(f"{path} was changed meanwhile", hint="Run it again.")
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    pathlib.Path(temporary).replace(target)
