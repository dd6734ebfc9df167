"""`gpudev backend list`: what the configuration has, whether a server would start with it, and whether one runs it."""

from __future__ import annotations

import pathlib
from typing import Any

import attrs

from gpudev_sdk import config
from gpudev_sdk.client.api import Api
from gpudev_sdk.client.transport import LocalTransport
from gpudev_sdk.errors import GpudevError, Unavailable
from gpudev_sdk.wire.views import ServerView
from gpudev_services.backends import file
from gpudev_services.up.down import PATIENCE
from gpudev_services.up.folder import DataFolder


@attrs.frozen(kw_only=True)
class Shown:
    """One backend, for people and for JSON."""

    name: str
    compute: str
    storage: str
    #: Whether it is in the file; without any there, this machine is one.
    written: bool
    #: Whether the running server has it; None where none answers.
    up: bool | None
    error: str | None


def backends(folder: DataFolder, path: pathlib.Path) -> list[Shown]:
    """List them, those that would keep a server from starting too."""
    raw = file.parse(path, file.read(path))
    tables = raw.get("backends", config.ONE_MACHINE["backends"])
    up = _up(folder)
    return [
        Shown(
            name=name,
            compute=str(table.get("compute", "?")) if isinstance(table, dict) else "?",
            storage=str(table.get("storage", "?")) if isinstance(table, dict) else "?",
            written="backends" in raw,
            up=None if up is None else name in up,
            error=_error(name, table),
        )
        for name, table in tables.items()
    ]


def _error(name: str, table: Any) -> str | None:
    if not isinstance(table, dict):
        return f"[backends.{name}] is no table"
    try:
        config.read_backend(table, name)
    except GpudevError as error:
        return error.message
    return None


def _up(folder: DataFolder) -> set[str] | None:
    """Return the backends of the running server, or None where none answers."""
    try:
        found = Api(LocalTransport(folder.socket_path()), lambda: None, PATIENCE).get("/server", ServerView)
    except Unavailable:
        return None
    return set(found.backends)
