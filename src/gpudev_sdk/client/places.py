"""Where things lie on the client's side. The one module of the SDK that reads the environment: `connect()` is a main."""

from __future__ import annotations

import os
import pathlib
import stat
from collections.abc import Mapping
from typing import NamedTuple

from gpudev_sdk.errors import ConfigError, NotAllowed, ServerUnreachable

#: A socket's path holds 107 bytes; beyond this the server writes the real path into `api.path`.
LONGEST_SOCKET_PATH = 100
START_ONE = "Start one with `gpudev up`, or sign in to one with `gpudev login https://…`."


class Places(NamedTuple):
    """The folders and choices of this process. A tuple, because every command starts with it and attrs takes 20 ms."""

    #: The data folder of a server on this machine.
    data: pathlib.Path
    #: The client's own folder.
    config: pathlib.Path
    #: The user's home, where `~/.ssh` is.
    home: pathlib.Path
    #: An origin or an install's name, where one was asked for.
    server: str | None = None
    token_file: pathlib.Path | None = None
    #: Whether the data folder was named rather than assumed: then it is the server meant.
    data_named: bool = False

    @property
    def config_file(self) -> pathlib.Path:
        """The list of known installs."""
        return self.config / "config.toml"

    @property
    def ssh(self) -> pathlib.Path:
        """The folder of our ssh files."""
        return self.config / "ssh"


def find_places(environ: Mapping[str, str] | None = None) -> Places:
    """Read the environment and return where things lie."""
    env = os.environ if environ is None else environ
    home = _home(env)
    data, config = env.get("GPUDEV_DATA"), env.get("GPUDEV_CONFIG")
    token = env.get("GPUDEV_TOKEN_FILE")
    return Places(
        data=_absolute(data) if data else _xdg(env, "XDG_DATA_HOME", home / ".local" / "share") / "gpudev",
        config=_absolute(config) if config else _xdg(env, "XDG_CONFIG_HOME", home / ".config") / "gpudev",
        home=home,
        server=env.get("GPUDEV_SERVER") or None,
        token_file=_absolute(token) if token else None,
        data_named=bool(data),
    )


def _home(env: Mapping[str, str]) -> pathlib.Path:
    if env.get("HOME"):
        return pathlib.Path(env["HOME"])
    try:
        return pathlib.Path.home()
    except RuntimeError as error:
        raise ConfigError("this account has no home folder", hint="Set HOME, or GPUDEV_CONFIG.") from error


def _absolute(text: str) -> pathlib.Path:
    if "\0" in text:
        raise ConfigError("a folder's name holds a NUL")
    return pathlib.Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111


def _xdg(env: Mapping[str, str], name: str, otherwise: pathlib.Path) -> pathlib.Path:
    """Return an XDG folder; relative ones are to be ignored, says their specification."""
    given = env.get(name, "")
    return pathlib.Path(given) if given.startswith("/") else otherwise


def find_socket(data: pathlib.Path) -> pathlib.Path | None:
    """Return the local server's socket, or None where no server runs; raise NotAllowed where it is another user's.

    The folder must be ours and closed to others, so that nobody else can have put the socket there.
    """
    direct = data / "run" / "api.sock"
    try:
        _check_ours(direct.parent)
        path = direct if len(os.fsencode(direct)) <= LONGEST_SOCKET_PATH else _long_way(direct.parent)
        if path.parent != direct.parent:
            _check_ours(path.parent)
        return path if stat.S_ISSOCK(path.stat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _not_ours(data) from error


def _long_way(run: pathlib.Path) -> pathlib.Path:
    named = pathlib.Path((run / "api.path").read_text(encoding="utf-8").strip())
    if not named.is_absolute():
        raise FileNotFoundError(named)
    return named


def _check_ours(folder: pathlib.Path) -> None:
    found = folder.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise _not_ours(folder)


def _not_ours(folder: pathlib.Path) -> NotAllowed:
    return NotAllowed(
        f"{folder} is not yours alone, so who answers there cannot be trusted",
        hint="Sign in like from any other machine: gpudev login https://…",
    )


def get_socket(data: pathlib.Path) -> pathlib.Path:
    """Return the local server's socket; raise ServerUnreachable where no server runs."""
    found = find_socket(data)
    if found is None:
        raise ServerUnreachable("no gpudev server runs on this machine", hint=START_ONE)
    return found
