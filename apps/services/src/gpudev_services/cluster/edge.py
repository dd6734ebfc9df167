"""The edge of the API as a service: a problem that says to wait, until there is a database to answer from."""

from __future__ import annotations

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from gpudev_sdk.errors import GpudevError, Unavailable
from gpudev_sdk.wire.views import ProblemView
from gpudev_services.api.problems import TYPES

STARTING = Unavailable("gpudev is starting, or waits for its database")


class Edge:
    """Hands everything on to the application once there is one. Nothing is answered here that a person may not see."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is an application."""
        return self._app is not None

    def open(self, app: ASGIApp) -> None:
        """Hand requests on from now on."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            await _say(send, STARTING)


async def _say(send: Send, error: GpudevError) -> None:
    title = (type(error).__doc__ or error.code).strip().splitlines()[0]
    problem = ProblemView(type=TYPES + error.code, title=title, status=503, detail=error.message, request_id="")
    content = msgspec.json.encode(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(content)).encode())]
    headers += [(b"cache-control", b"no-store"), (b"retry-after", b"1")]
    start: HTTPResponseStartEvent = {"type": "http.response.start", "status": 503, "headers": headers}
    body: HTTPResponseBodyEvent = {"type": "http.response.body", "body": content, "more_body": False}
    await send(start)
    await send(body)
