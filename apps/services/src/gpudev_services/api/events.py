"""The stream of one reservation's changes, as server-sent events."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

from anyio.to_thread import run_sync
from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from gpudev_sdk.engine import edits, show
from gpudev_sdk.errors import GpudevError
from gpudev_sdk.wire import codec
from gpudev_sdk.wire.views import ReservationView
from gpudev_services.api.auth import still_valid
from gpudev_services.api.desk import Caller, Desk, TheDesk, Who

KEEP_ALIVE = 15.0


def _find(desk: Desk, who: Caller, ref: str) -> uuid.UUID:
    with desk.engine.store.transaction() as conn:
        return edits.find(conn, who.user, ref)


@get("/reservations/{ref:str}/events")
async def events(desk: TheDesk, who: Who, ref: FromPath[str]) -> Stream:
    """Send the reservation at once and whenever it changes, until it ends or the caller may not see it any more."""
    found = await run_sync(_find, desk, who, ref)
    return Stream(_changes(desk, who, found), media_type="text/event-stream")


async def _changes(desk: Desk, who: Caller, found: uuid.UUID) -> AsyncIterator[bytes]:
    event = desk.hub.watch(found)
    last: ReservationView | None = None
    try:
        while not desk.hub.closing:
            event.clear()
            try:
                if not await run_sync(still_valid, desk, who):
                    return
                view = await run_sync(show.show, desk.engine, found)
            except GpudevError:
                # The database is away: say nothing, and end, so that the client asks again.
                return
            if view != last:
                yield b"data: " + codec.encode(view) + b"\n\n"
            last = view
            if view.state == "ended":
                return
            try:
                await asyncio.wait_for(event.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield b": still here\n\n"
    finally:
        desk.hub.unwatch(event)


ROUTES = [events]
