"""Routes of reservations."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from litestar import Response, delete, get, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from gpudev_sdk.domain.request import Request, check_env_names
from gpudev_sdk.engine import availability, edits, show
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.wire.bodies import ExtendBody, ReserveBody
from gpudev_sdk.wire.views import DryRunView, EventsView, QueueView, ReservationPage, ReservationView
from gpudev_services.api.desk import TheDesk, Who
from gpudev_services.api.rates import DRY_RUN, WRITE

Key = Annotated[str | None, HeaderParameter(name="Idempotency-Key", required=False)]
Which = Annotated[str, QueryParameter(name="state")]


def to_request(body: ReserveBody) -> Request:
    """Turn what was sent into the domain's request."""
    names = tuple(sorted(body.env))
    check_env_names(names)
    if any("\0" in value for value in body.env.values()):
        raise InvalidRequest("a value holds a NUL", field="env")
    wait = body.max_wait_seconds
    return Request(
        gpu_type=body.gpu_type,
        gpus=body.gpus,
        nodes=body.nodes,
        duration=dt.timedelta(seconds=body.duration_seconds),
        disk=body.disk,
        name=body.name,
        image=body.image,
        profile=body.profile,
        backend=body.backend,
        priority=body.priority,
        max_wait=None if wait is None else dt.timedelta(seconds=wait),
        agent_forwarding=body.agent_forwarding,
        env_names=names,
    )


@post("/reservations", status_code=202, sync_to_thread=True)
def reserve(desk: TheDesk, who: Who, data: JSONBody[ReserveBody], idempotency_key: Key = None) -> ReservationView:
    """Put a request in line. The same key again answers with the same reservation."""
    desk.rates.take(WRITE, str(who.user.id))
    if not idempotency_key or len(idempotency_key) > 128 or not idempotency_key.isprintable():
        raise InvalidRequest("the header Idempotency-Key is missing or too long", field="Idempotency-Key")
    submission = Submission(request=to_request(data), idempotency_key=idempotency_key, env=data.env)
    return show.show(desk.engine, submit(desk.engine, who.user, submission))


@post("/dry-run", status_code=200, sync_to_thread=True)
def dry_run(desk: TheDesk, who: Who, data: JSONBody[ReserveBody]) -> DryRunView:
    """Say where and when a request would start. Changes nothing."""
    desk.rates.take(DRY_RUN, str(who.user.id))
    return availability.dry_run(desk.engine, who.user, to_request(data))


@get("/reservations", sync_to_thread=True)
def list_reservations(
    desk: TheDesk, who: Who, which: Which = "live", limit: FromQuery[int] = 50, after: FromQuery[str | None] = None
) -> ReservationPage:
    """List one's own reservations, newest first."""
    return show.page(desk.engine, who.user, which=which, after=after, limit=limit)


@get("/queue", sync_to_thread=True)
def queue(desk: TheDesk, who: Who) -> QueueView:
    """Say who waits for what."""
    return availability.queue(desk.engine, who.user)


@get("/reservations/{ref:str}", sync_to_thread=True)
def show_reservation(desk: TheDesk, who: Who, ref: FromPath[str]) -> ReservationView:
    """Show one of one's own reservations, by name, id, or the beginning of one."""
    with desk.engine.store.transaction() as conn:
        found = edits.find(conn, who.user, ref)
    return show.show(desk.engine, found)


@get("/reservations/{ref:str}/history", sync_to_thread=True)
def history(desk: TheDesk, who: Who, ref: FromPath[str]) -> EventsView:
    """Show everything that happened to a reservation."""
    with desk.engine.store.transaction() as conn:
        found = edits.find(conn, who.user, ref)
    return EventsView(items=show.history(desk.engine, found))


@delete("/reservations/{ref:str}", status_code=202, sync_to_thread=True)
def cancel(desk: TheDesk, who: Who, ref: FromPath[str]) -> Response[ReservationView]:
    """Ask for the end of a reservation."""
    desk.rates.take(WRITE, str(who.user.id))
    return Response(show.show(desk.engine, edits.cancel(desk.engine, who.user, ref)), status_code=202)


@post("/reservations/{ref:str}/extend", status_code=200, sync_to_thread=True)
def extend(desk: TheDesk, who: Who, ref: FromPath[str], data: JSONBody[ExtendBody]) -> ReservationView:
    """Grant a reservation more time."""
    desk.rates.take(WRITE, str(who.user.id))
    more = dt.timedelta(seconds=data.seconds)
    return show.show(desk.engine, edits.extend(desk.engine, who.user, ref, more))


ROUTES = [reserve, dry_run, list_reservations, queue, show_reservation, history, cancel, extend]
