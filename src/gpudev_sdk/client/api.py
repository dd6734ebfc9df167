"""Calls to the API: a call goes out, and what comes back is a view or an error of ours."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from gpudev_sdk.client.problems import Garbled, check_version, unreadable, upgrade
from gpudev_sdk.client.problems import error_of as error_of_reply
from gpudev_sdk.client.transport import STREAM_SILENCE, Call, Reply, Transport
from gpudev_sdk.errors import (
    GpudevError,
    InvalidRequest,
    Paused,
    ServerUnreachable,
    TooManyRequests,
    TryLater,
    Unavailable,
)
from gpudev_sdk.wire import API_VERSION

T = TypeVar("T")
#: How long reads go on trying while the server restarts or its database is away.
READ_PATIENCE = 5.0
#: How long a stream may be away before one stops waiting for it.
STREAM_PATIENCE = 60.0


class Api:
    """One server's API, by one transport."""

    def __init__(self, transport: Transport, token: Callable[[], str | None], timeout: float = 30.0) -> None:
        self.transport = transport
        self._token = token
        self._timeout = timeout
        self._is_ours = False

    def get(self, path: str, kind: type[T], **params: Any) -> T:
        """Read something; goes on trying for a few seconds while the server cannot answer."""
        given = {name: _param(value) for name, value in params.items() if value is not None}
        query = f"?{urllib.parse.urlencode(given)}" if given else ""
        return self._view(self._persist(self._call("GET", path + query), READ_PATIENCE), kind)

    def post(self, path: str, kind: type[T], body: msgspec.Struct | None = None) -> T:
        """Do something once."""
        return self._view(self._once(self._call("POST", path, body)), kind)

    def post_keyed(self, path: str, kind: type[T], body: msgspec.Struct, key: str, patience: float = 30.0) -> T:
        """Do something that the server does once for each key; a broken connection or a 503 is tried again with it."""
        return self._view(self._persist(self._call("POST", path, body, {"Idempotency-Key": key}), patience), kind)

    def patch(self, path: str, kind: type[T], body: msgspec.Struct) -> T:
        """Change something."""
        return self._view(self._once(self._call("PATCH", path, body)), kind)

    def delete(self, path: str, kind: type[T] | None = None) -> T | None:
        """End something; asking twice is asking once."""
        reply = self._persist(self._call("DELETE", path), READ_PATIENCE)
        return None if kind is None or reply.status == 204 else self._view(reply, kind)

    def lines(self, path: str, silence: float = STREAM_SILENCE) -> Iterator[bytes]:
        """Stream the lines of an event stream; raises like any call, and ConnectionLost when it breaks off."""
        call = self._call("GET", path, extra={"Accept": "text/event-stream"})
        with self.transport.stream(call, silence) as opened:
            if isinstance(opened, Reply):
                raise self._refusal(opened)
            yield from opened

    def _call(
        self, method: str, path: str, body: msgspec.Struct | None = None, extra: Mapping[str, str] | None = None
    ) -> Call:
        headers = {"Accept": "application/json", **(extra or {})}
        token = self._token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        raw = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            try:
                raw = msgspec.json.encode(body)
            except UnicodeEncodeError as error:
                raise InvalidRequest("a text holds a character that cannot be sent") from error
        return Call(method, f"/{API_VERSION}{path}", headers, raw)

    def _once(self, call: Call) -> Reply:
        reply = self.transport.send(call, self._timeout)
        if reply.status >= 300:
            raise self._refusal(reply)
        check_version(reply, self.transport.where)
        return reply

    def _persist(self, call: Call, patience: float) -> Reply:
        """Send a call that may be sent again, until it is answered or patience ends."""
        end, pause, reached = time.monotonic() + patience, 0.1, False
        while True:
            try:
                return self._once(call)
            except (Garbled, Paused):
                raise
            except ServerUnreachable:
                # Nothing was ever there: waiting would only hide that.
                if not reached or time.monotonic() + pause > end:
                    raise
            except (Unavailable, TryLater, TooManyRequests) as error:
                reached = True
                pause = max(pause, getattr(error, "delay", 0.0))
                if time.monotonic() + pause > end:
                    raise
            time.sleep(pause * (0.8 + time.monotonic_ns() % 1000 / 2500))
            pause = min(pause * 2, 5.0)

    def _refusal(self, reply: Reply) -> GpudevError:
        check_version(reply, self.transport.where)
        error = error_of_reply(reply, self.transport.where)
        if isinstance(error, Garbled):
            # Something in between, which knows nothing of versions.
            return error
        if reply.status == 404 and not self._is_ours and not self._speaks_our_version():
            return upgrade(self.transport.where)
        return error

    def _speaks_our_version(self) -> bool:
        """Say whether the server knows this version of the API at all: its `/server` is open to everyone."""
        reply = self.transport.send(
            Call("GET", f"/{API_VERSION}/server", {"Accept": "application/json"}), self._timeout
        )
        self._is_ours = reply.status != 404
        return self._is_ours

    def _view(self, reply: Reply, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(reply.body, type=kind, strict=True)
        except (ValueError, RecursionError) as error:
            raise unreadable(reply, self.transport.where) from error


def _param(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
