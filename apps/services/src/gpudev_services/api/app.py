"""Puts the routes together into one ASGI application."""

from __future__ import annotations

import uuid
from typing import Any

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from gpudev_sdk.errors import GpudevError
from gpudev_sdk.wire import API_VERSION
from gpudev_services.api import admin, auth, disks, events, fleet, me, metrics, problems, reservations
from gpudev_services.api.desk import Desk
from gpudev_services.api.strict import StrictRequest

HANDLERS = [
    *reservations.ROUTES, *disks.ROUTES, *fleet.ROUTES, *me.ROUTES, *admin.ROUTES, *events.ROUTES,
    *metrics.ROUTES,
]  # fmt: skip


def _desk(state: State) -> Desk:
    desk: Desk = state.desk
    return desk


def _mark(response: Response[Any]) -> Response[Any]:
    response.headers["Gpudev-Version"] = fleet.VERSION
    response.headers["Cache-Control"] = "no-store"
    return response


def create_app(desk: Desk) -> Litestar:
    """Return the application; everything it works with is in `desk`."""
    router = Router(path=f"/{API_VERSION}", route_handlers=HANDLERS)
    return Litestar(
        route_handlers=[router],
        request_class=StrictRequest,
        dependencies={
            "desk": Provide(_desk, sync_to_thread=False),
            "metrics": Provide(metrics.metrics_of, sync_to_thread=False),
            "who": Provide(auth.caller, sync_to_thread=True),
        },
        state=State({"desk": desk, "metrics": metrics.Metrics(desk.doctor_engine, "up")}),
        exception_handlers={
            GpudevError: problems.known,
            HTTPException: problems.framework,
            Exception: problems.unexpected,
        },
        after_request=_mark,
        openapi_config=OpenAPIConfig(title="gpudev", version=API_VERSION, path=f"/{API_VERSION}/openapi"),
        request_max_body_size=1024 * 1024,
        middleware=[_with_request_id],
        # The services have their own log.
        logging_config=None,
    )


def _with_request_id(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["request_id"] = uuid.uuid4().hex[:16]
        await app(scope, receive, send)

    return middleware


def door(app: ASGIApp, name: str) -> ASGIApp:
    """Mark every request with the door it came by; nothing in a request can say so itself."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        scope["gpudev_door"] = name  # type: ignore[typeddict-unknown-key]
        await app(scope, receive, send)

    return marked
