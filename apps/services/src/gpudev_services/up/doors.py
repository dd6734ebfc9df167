"""The ways in: the API on its Unix socket, on TLS where other machines may come, and the SSH gateway. All on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from litestar.types import ASGIApp

from gpudev_sdk.errors import ConfigError
from gpudev_services.api.app import door
from gpudev_services.tls import Certificates, reload

BACKLOG = 512


class _Server(uvicorn.Server):
    """A server whose process has its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn(app: ASGIApp, certificates: Certificates | None = None) -> _Server:
    settings: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False, "server_header": False}
    settings |= {"timeout_graceful_shutdown": 3, "timeout_keep_alive": 30, "limit_concurrency": 1000}
    if certificates is not None:
        settings |= {"ssl_certfile": str(certificates.certificate), "ssl_keyfile": str(certificates.key)}
    return _Server(uvicorn.Config(app, **settings))


def local_socket(path: pathlib.Path) -> socket.socket:
    """Listen on a Unix socket that only its owner can reach; one that a dead process left is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(BACKLOG)
    return listener


def address(text: str, key: str) -> tuple[str, int]:
    """Read `HOST:PORT` of the configuration; port 0 is any."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{key} = {text!r} is not HOST:PORT", hint=f'Write it like {key} = "0.0.0.0:7070".')
    return host.strip("[]"), int(port)


def wide_socket(text: str) -> socket.socket:
    """Listen for other machines."""
    host, port = address(text, "listen")
    try:
        return socket.create_server((host, port), backlog=BACKLOG, reuse_port=False)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {text}: {error.strerror}", hint="Choose another port: --listen HOST:PORT."
        ) from error


class ApiDoors:
    """The API's servers, one for each socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._servers: list[tuple[_Server, asyncio.Task[None]]] = []

    def open_local(self, listener: socket.socket) -> None:
        """Serve the owner of the machine's socket."""
        self._open(_uvicorn(door(self._app, "local")), listener)

    def open_wide(self, listener: socket.socket, certificates: Certificates | None) -> None:
        """Serve whoever brings a token, over TLS; without certificates, TLS has to end in front of us."""
        self._open(_uvicorn(door(self._app, "wide"), certificates), listener)

    def _open(self, server: _Server, listener: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        self._servers.append((server, task))

    def renew(self, certificates: Certificates) -> None:
        """Show a renewed certificate to whoever connects from now on."""
        for server, _ in self._servers:
            if server.config.ssl is not None:
                reload(server.config.ssl, certificates)

    async def ready(self) -> None:
        """Return when all of them answer."""
        while not all(server.started for server, _ in self._servers):
            for _, task in self._servers:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Let what runs finish, and close."""
        for server, _ in self._servers:
            server.should_exit = True
        for _, task in self._servers:
            await task
