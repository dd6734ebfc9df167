"""Accepts a request: one transaction under the person's row lock. What is acknowledged is kept."""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Mapping, Sequence

import attrs

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.limits import check_against
from gpudev_sdk.domain.request import Request, check_request, request_to_json
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.disk_places import Place, place_of
from gpudev_sdk.engine.files import ENV
from gpudev_sdk.errors import Conflict, InvalidRequest, LimitReached, NotAllowed
from gpudev_sdk.store import bell, disks, fleet, ids, people
from gpudev_sdk.store.reservations import Entry, Q, add_event, scalar
from gpudev_sdk.store.rows import Conn, Row, as_json

DEFAULT_DISK_BYTES = 100 * 1024**3


@attrs.frozen(kw_only=True)
class Submission:
    """A request with what comes along with it but is not part of it."""

    request: Request
    idempotency_key: str
    env: Mapping[str, str] = attrs.field(factory=dict, repr=False)


def submit(engine: Engine, user: User, submission: Submission) -> uuid.UUID:
    """Put a request in line and return its reservation's id; the same key again returns the same id.

    Raises InvalidRequest, Refused, LimitReached, Conflict (the disk or the name is in use, or the key was used for
    another request).
    """
    request = check_request(submission.request)
    if request.priority > 0 and not user.is_admin:
        raise NotAllowed("a priority above 0 is for admins", hint="Leave the priority out.")
    for policy in engine.policies:
        policy.check(request, user)
    digest = _digest(submission)
    with engine.store.transaction("submit") as conn:
        _lock(conn, user)
        before = conn.execute(Q["find_by_key"], {"owner_id": user.id, "key": submission.idempotency_key}).fetchone()
        if before is not None:
            return _same(before, digest)
        known = None if request.disk is None else disks.find(conn, user.id, request.disk)
        kind = kind_of(conn, engine, request, known)
        _check_limits(conn, engine, user, request)
        disk = _disk_of(conn, engine, user, request)
        return _insert(conn, engine, user, submission, (kind, disk, digest))


def _digest(submission: Submission) -> bytes:
    plain = json.dumps([request_to_json(submission.request), dict(submission.env)], sort_keys=True)
    return hashlib.sha256(plain.encode()).digest()


def _lock(conn: Conn, user: User) -> None:
    row = people.lock_user(conn, user.id)
    if row is None or row["disabled_at"] is not None:
        raise NotAllowed("your account is disabled", hint="Ask an admin of this install.")


def _same(before: Row, digest: bytes) -> uuid.UUID:
    if bytes(before["request_digest"]) != digest:
        raise Conflict("this idempotency key was used for another request", hint="Use a fresh key for each request.")
    found: uuid.UUID = before["id"]
    return found


def kind_of(conn: Conn, engine: Engine, request: Request, disk: Row | None) -> GpuType:
    """Return the type asked for; raise for what could never be: a gang must have room about the node of its disk, too."""
    place, offers = place_of(disk), fleet.catalogue(conn)
    _check_backend(engine, request, place, offers)
    wish = request if place.backend is None else attrs.evolve(request, backend=place.backend)
    kind = check_against(wish, offers, engine.limits, fleet.together(conn))
    if request.nodes == 1:
        return kind
    most = _most_about(conn, place, kind)
    if most is not None and most < request.nodes:
        there = f"is on {place.node}, whose zone" if place.node else f"is in {place.zone}, which"
        raise InvalidRequest(
            f"the disk {request.disk!r} {there} has too few whole nodes of {kind.name} ({most})",
            field="nodes",
            hint="Name another disk with --disk, or ask for fewer nodes.",
        )
    return kind


def _check_backend(engine: Engine, request: Request, place: Place, offers: Sequence[tuple[str, GpuType]]) -> None:
    """Refuse a backend there is not, one where the disk is not, and one without the type that another has."""
    if request.backend is not None and request.backend not in engine.backends:
        known = ", ".join(sorted(engine.backends)) or "none"
        raise InvalidRequest(
            f"there is no backend {request.backend!r} here", field="backend", hint=f"There are: {known}."
        )
    if request.backend is not None and place.backend not in (None, request.backend):
        raise InvalidRequest(
            f"the disk {request.disk!r} is on {place.backend}, and the box would be on {request.backend}",
            field="backend",
            hint=f"Leave --backend out, name another disk, or see how to copy it: gpudev disk show {request.disk}.",
        )
    where = request.backend or place.backend
    having = sorted({backend for backend, kind in offers if kind.name == request.gpu_type})
    if where is not None and having and where not in having:
        disk = "" if request.backend is not None else f", where the disk {request.disk!r} is"
        also = "" if request.backend is not None else ", with --disk and the name of another disk"
        raise InvalidRequest(
            f"{where} has no {request.gpu_type}{disk}",
            field="gpu_type",
            hint=f"There is {request.gpu_type} in: {', '.join(having)}{also}.",
        )


def _most_about(conn: Conn, place: Place, kind: GpuType) -> int | None:
    """Return how many whole nodes there are about a disk, or None if it is tied to no node and no zone."""
    if place.backend is not None and place.node is not None:
        return fleet.together_with(conn, place.backend, place.node, kind)
    if place.backend is not None and place.zone is not None:
        return fleet.together_in(conn, place.backend, place.zone, kind)
    return None


def _check_limits(conn: Conn, engine: Engine, user: User, request: Request) -> None:
    live = conn.execute(Q["live_count"], {"owner_id": user.id}).fetchone()
    limits = engine.limits
    if scalar(live, "reservations") >= limits.max_reservations_per_user:
        raise LimitReached(
            f"you have {limits.max_reservations_per_user} reservations, which is the limit",
            hint="Cancel one: gpudev list, gpudev cancel NAME.",
        )
    held, more = int(scalar(live, "gpus")), request.gpus * request.nodes
    if limits.max_gpus_per_user is not None and held + more > limits.max_gpus_per_user:
        raise LimitReached(
            f"you have or wait for {held} GPUs; with {more} more it would be over your {limits.max_gpus_per_user}",
            hint="Ask for fewer, or cancel a reservation.",
        )


def _disk_of(conn: Conn, engine: Engine, user: User, request: Request) -> Row | None:
    if request.disk is None:
        return None
    disk = disks.find(conn, user.id, request.disk)
    if disk is None:
        make_disk(conn, engine, user, request.disk, None)
        return disks.find(conn, user.id, request.disk)
    holder = conn.execute(Q["disk_user"], {"disk_id": disk["id"]}).fetchone()
    if holder is not None and holder["state"] != "stopping":
        raise Conflict(
            f"the disk {request.disk!r} is in use by your reservation {holder['name']!r}, which is {holder['state']}",
            hint=f"Use it (gpudev connect {holder['name']}), or name another disk with --disk.",
        )
    return disk


def make_disk(conn: Conn, engine: Engine, user: User, name: str, size_bytes: int | None) -> uuid.UUID:
    """Make a disk's row; the caller holds the person's row lock. Raises Conflict, LimitReached, InvalidRequest."""
    size = size_bytes or DEFAULT_DISK_BYTES
    if size > engine.limits.max_disk_bytes:
        raise InvalidRequest("the disk is larger than this install allows", field="size_bytes")
    check_room_for_disk(conn, engine, user)
    if disks.find(conn, user.id, name) is not None:
        raise Conflict(f"you have a disk {name!r}", hint="Choose another name, or use that one.")
    disk_id = ids.new()
    conn.execute(disks.Q["insert_disk"], {"id": disk_id, "owner_id": user.id, "name": name, "size_bytes": size})
    return disk_id


def check_room_for_disk(conn: Conn, engine: Engine, user: User) -> None:
    """Raise LimitReached if a person has all the disks they may have; the caller holds their row lock."""
    count = conn.execute(disks.Q["count_disks"], {"owner_id": user.id}).fetchone()
    if scalar(count, "disks") >= engine.limits.max_disks_per_user:
        raise LimitReached("you have as many disks as this install allows", hint="Delete one: gpudev disk delete NAME.")


def _name(conn: Conn, user: User, request: Request) -> str:
    taken = {row["name"] for row in conn.execute(Q["live_names"], {"owner_id": user.id})}
    if request.name is not None:
        if request.name in taken:
            raise Conflict(f"you have a reservation {request.name!r}", hint="Choose another with --name.")
        return request.name
    base = request.disk or request.gpu_type.replace(".", "-").replace("_", "-")[:30]
    numbered = (f"{base[:32]}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain((base,), numbered) if name not in taken)


def _insert(
    conn: Conn, engine: Engine, user: User, submission: Submission, found: tuple[GpuType, Row | None, bytes]
) -> uuid.UUID:
    kind, disk, digest = found
    request = submission.request
    reservation_id = ids.new()
    conn.execute(
        Q["insert_reservation"],
        {
            "id": reservation_id,
            "owner_id": user.id,
            "name": _name(conn, user, request),
            "request": as_json(request_to_json(request)),
            "request_digest": digest,
            "idempotency_key": submission.idempotency_key,
            "gpu_type": kind.name,
            "gpus": request.gpus,
            "slots_needed": kind.slots_for(request.gpus, request.nodes),
            "nodes": request.nodes,
            "priority": request.priority,
            "granted": request.duration,
            "max_wait": min(request.max_wait or engine.limits.max_wait, engine.limits.max_wait),
            "disk_id": None if disk is None else disk["id"],
        },
    )
    for name, value in submission.env.items():
        conn.execute(Q["add_secret"], {"id": reservation_id, "name": ENV + name, "value": value})
    add_event(conn, reservation_id, 1, (None, "queued"), Entry(what="submitted", actor=user.name))
    bell.ring(conn, "reservation", reservation_id)
    bell.want_plan(conn)
    return reservation_id
