"""The edge of the API as a service: the probes, and nothing else until there is a database to answer from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from gpudev_sdk.errors import GpudevError, Unavailable
from gpudev_sdk.wire.views import ProblemView
from gpudev_services.api.metrics import CONTENT_TYPE
from gpudev_services.api.problems import TYPES
from gpudev_services.cluster.health import Answer, living, ready

STARTING = Unavailable("gpudev is starting, or waits for its database")


class Edge:
    """Answers the probes in this process's own words, and hands everything else on to the application once there is one."""

    def __init__(self, why_not: Callable[[], GpudevError | None], figures: Callable[[], bytes]) -> None:
        self._why_not = why_not
        self._figures = figures
        self._app: ASGIApp | None = None

    def open(self, app: ASGIApp) -> None:
        """Hand requests on from now on."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        own = self._own().get(scope["path"]) if scope["type"] == ScopeType.HTTP else None
        if own is not None:
            await _say(send, await asyncio.to_thread(_asked, own))
        elif self._app is not None:
            await self._app(scope, receive, send)
        else:
            await _say(send, _problem(STARTING))

    def _own(self) -> Mapping[str, Callable[[], Answer]]:
        return {
            "/healthz": living,
            "/readyz": self._ready,
            "/metrics": lambda: Answer(200, self._figures(), CONTENT_TYPE),
        }

    def _ready(self) -> Answer:
        return ready(lambda: self._why_not() or (STARTING if self._app is None else None))


def _asked(own: Callable[[], Answer]) -> Answer:
    try:
        return own()
    except GpudevError as error:
        return _problem(error)


def _problem(error: GpudevError) -> Answer:
    title = (type(error).__doc__ or error.code).strip().splitlines()[0]
    problem = ProblemView(type=TYPES + error.code, title=title, status=503, detail=error.message, request_id="")
    return Answer(503, msgspec.json.encode(problem), "application/problem+json")


async def _say(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", answer.kind.encode()), (b"content-length", str(len(answer.body)).encode())]
    headers.append((b"cache-control", b"no-store"))
    if answer.status == 503:
        headers.append((b"retry-after", b"1"))
    start: HTTPResponseStartEvent = {"type": "http.response.start", "status": answer.status, "headers": headers}
    body: HTTPResponseBodyEvent = {"type": "http.response.body", "body": answer.body, "more_body": False}
    await send(start)
    await send(body)
