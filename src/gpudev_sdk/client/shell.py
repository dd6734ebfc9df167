"""Command lines of the system's ssh and scp, always with our configuration file. Nothing passes through a shell here."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence

from gpudev_sdk.client.boxes import Box
from gpudev_sdk.errors import ConfigError, InvalidRequest

#: What ssh exits with when it failed itself; a command may exit with it too.
SSH_FAILED = 255


def program(name: str) -> str:
    """Return the path of a program of OpenSSH; raise ConfigError where it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise ConfigError(
            f"{name} is not installed", hint="Install the OpenSSH client (Debian: apt install openssh-client)."
        )
    return found


def ssh(box: Box, *options: str, command: str | None = None) -> list[str]:
    """Return the command line of ssh into a box; `command` is for the shell of the box."""
    line = [program("ssh"), "-F", str(box.config), *options, "--", box.alias]
    return line if command is None else [*line, checked(command)]


def scp(box: Box, source: str, target: str) -> list[str]:
    """Return the command line of scp; a side is `local_path(…)` or `box_path(…)`."""
    return [program("scp"), "-F", str(box.config), "-r", "-p", "--", checked(source), checked(target)]


def join(arguments: Sequence[str]) -> str:
    """Return arguments as one text that the shell of the box takes apart into the same."""
    return shlex.join(arguments)


def checked(text: str) -> str:
    """Return a text that can be an argument; raise InvalidRequest for one that cannot."""
    if "\0" in text:
        raise InvalidRequest("a command or path holds a NUL")
    return text


def box_path(box: Box, path: str) -> str:
    """Return a path in a box as scp reads it; `~` is the home, from which relative paths start anyway."""
    if path in ("", "~"):
        path = "."
    return f"{box.alias}:{path.removeprefix('~/') or '.'}"


def local_path(path: str) -> str:
    """Return a path here as scp reads it: never taken for an option or for another machine's."""
    return path if path.startswith(("/", "./", "../")) else f"./{path}"
