"""How a call reaches a server: what both ways have in common, and the way over the local Unix socket.

The local way uses the standard library: httpx2 takes 0.15 s to load, more than half of what `gpudev list` may take.
The way to other machines is in `remote`.
"""

from __future__ import annotations

import contextlib
import http.client
import pathlib
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gpudev_sdk.client.places import START_ONE
from gpudev_sdk.errors import NotAllowed, ServerUnreachable, Unavailable

#: The longest reply that is read.
MAX_REPLY = 64 * 1024**2
#: The longest a reply may take, however slowly it drips.
MAX_SECONDS = 120.0
#: A stream that says nothing for so long is dead: the server sends a sign of life every 15 s.
STREAM_SILENCE = 45.0


class ConnectionLost(Unavailable):
    """The connection broke before the answer came."""

    code = "connection-lost"


class Call(NamedTuple):
    """One request."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None


class Reply(NamedTuple):
    """One answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(ABC):
    """A way to a server. Safe to use from several threads."""

    #: What people call the server.
    where: str

    @abstractmethod
    def send(self, call: Call, timeout: float) -> Reply:
        """Send a call and return the answer.

        Raises ServerUnreachable when nothing was sent, ConnectionLost when it may have arrived.
        """

    @abstractmethod
    def stream(self, call: Call, timeout: float) -> contextlib.AbstractContextManager[Reply | Iterator[bytes]]:
        """Open a stream of lines; what is not a 200 comes back as a Reply."""

    def close(self) -> None:  # noqa: B027 (a transport that keeps nothing open has nothing to do)
        """Let go of what is open."""


def broken(where: str, why: object) -> ConnectionLost:
    """Return the error for a connection that broke."""
    shown = " ".join(str(why).split())[:120]
    return ConnectionLost(
        f"the connection to {where} broke{': ' + shown if shown else ''}", hint="Try again; `gpudev status` says more."
    )


def slow(where: str) -> ConnectionLost:
    """Return the error for a server that does not answer in time."""
    return ConnectionLost(f"{where} did not answer in time", hint="Try again; `gpudev status` says more.")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: pathlib.Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Dial the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class LocalTransport(Transport):
    """HTTP over the Unix socket of a server on this machine; a connection for each call, which costs next to nothing."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.where = "the server on this machine"

    @contextlib.contextmanager
    def _ask(self, call: Call, timeout: float) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self.path, timeout)
        try:
            self._dial(connection)
            connection.request(call.method, call.target, body=call.body, headers=dict(call.headers))
            yield connection.getresponse()
        except TimeoutError as error:
            raise slow(self.where) from error
        except (OSError, http.client.HTTPException) as error:
            raise broken(self.where, "" if isinstance(error, ConnectionError) else type(error).__name__) from error
        finally:
            connection.close()

    def _dial(self, connection: _UnixConnection) -> None:
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ServerUnreachable("no gpudev server runs on this machine (any more)", hint=START_ONE) from error
        except PermissionError as error:
            raise NotAllowed(f"{self.path} is not open to you", hint="Ask who started gpudev.") from error

    def send(self, call: Call, timeout: float) -> Reply:
        """Send a call and return the answer."""
        with self._ask(call, timeout) as response:
            body = self._read(response)
            return Reply(response.status, _headers(response), body)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        promised, end = response.length, time.monotonic() + MAX_SECONDS
        parts: list[bytes] = []
        size = 0
        while part := response.read1(1024 * 1024):
            parts.append(part)
            size += len(part)
            if size > MAX_REPLY:
                raise broken(self.where, "the answer has no end")
            if time.monotonic() > end:
                raise slow(self.where)
        if promised is not None and size < promised:
            raise broken(self.where, "half of the answer is missing")
        return b"".join(parts)

    @contextlib.contextmanager
    def stream(self, call: Call, timeout: float) -> Iterator[Reply | Iterator[bytes]]:
        """Open a stream of lines; what is not a 200 comes back as a Reply."""
        with self._ask(call, timeout) as response:
            if response.status != 200:
                yield Reply(response.status, _headers(response), self._read(response))
            else:
                yield iter(response.readline, b"")


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
