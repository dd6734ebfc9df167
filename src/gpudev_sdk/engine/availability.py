"""What is free, who waits, and when a request would start: from the rows that the planner uses, at the moment of asking."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence

import attrs
import msgspec

from gpudev_sdk.domain.gpu import GpuType
from gpudev_sdk.domain.plan import Placement, Question, Waiting
from gpudev_sdk.domain.request import Request, check_request
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.disk_places import place_of
from gpudev_sdk.engine.planner import probe
from gpudev_sdk.engine.planning import ask, find_away, say_away
from gpudev_sdk.engine.submit import kind_of
from gpudev_sdk.errors import Conflict
from gpudev_sdk.store import disks, fleet
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import Row
from gpudev_sdk.wire.views import (
    AvailabilityRow,
    AvailabilityView,
    DryRunView,
    GpuTypeView,
    OfferView,
    QueueEntryView,
    QueueView,
    UseView,
)

#: How long the boxes are for which offers are made.
OFFERED = dt.timedelta(hours=1)
LAST = 2**62


def availability(engine: Engine, user: User) -> AvailabilityView:
    """Say what could start now and what when, and who holds what until when."""
    with engine.store.transaction() as conn:
        seen, kinds, together = fleet.read(conn), fleet.catalogue(conn), fleet.together(conn)
        away = find_away(conn)
    question = ask(seen, engine.limits, away)
    rows = []
    for backend, kind in kinds:
        most = together.get((backend, kind.name), 0) if kind.gang else 0
        offers = [*_offers(question, backend, kind), *_gang_offers(question, backend, kind, most)]
        row = _row(engine, seen, backend, kind, offers)
        rows.append(_away(row, say_away(backend, away)) if backend in away else row)
    return AvailabilityView(as_of=seen.now, rows=rows, uses=[_use(row, user) for row in seen.holders])


def _row(
    engine: Engine, seen: fleet.Fleet, backend: str, kind: GpuType, offers: Sequence[OfferView]
) -> AvailabilityRow:
    bins = [row for row in seen.bins if row["backend"] == backend and row["gpu_type"] == kind.name]
    now = [offer for offer in offers if offer.starts_at is not None and offer.starts_at <= seen.now]
    trouble = [f"busy outside ({who})" for row in bins for who in row["busy"]]
    trouble += [f"{row['node']}: {row['reason']}" for row in bins if not row["schedulable"]]
    return AvailabilityRow(
        gpu_type=kind.name,
        backend=backend,
        total=sum(row["total"] for row in bins),
        free=sum(row["free"] for row in bins),
        largest_now=max((offer.gpus for offer in now if offer.nodes == 1), default=0),
        per_node=kind.slots,
        queued=sum(row["gpu_type"] == kind.name and row["backend"] in (None, backend) for row in seen.line),
        description=kind.description,
        pretended=kind.pretended,
        max_duration_seconds=int(engine.limits.longest(kind).total_seconds()),
        trouble=trouble,
        most_nodes=max((offer.nodes for offer in offers), default=1),
        nodes_now=max((offer.nodes for offer in now if offer.nodes > 1), default=0),
        offers=list(offers),
    )


def _away(row: AvailabilityRow, why: str) -> AvailabilityRow:
    """Show what a backend that is away had when it was last seen, with nothing of it free."""
    return msgspec.structs.replace(row, free=0, trouble=[why, *row.trouble])


def _sizes(kind: GpuType) -> list[int]:
    """Return the sizes worth an offer: powers of two, and the whole node."""
    if kind.is_cpu:
        return [1]
    powers = [2**n for n in range(12) if 2**n < kind.gpus_per_node]
    return [*powers, kind.gpus_per_node]


def _shape(kind: GpuType, slots: int, lasts: dt.timedelta, backend: str | None) -> Waiting:
    return Waiting(
        reservation_id=uuid.UUID(int=slots),
        gpu_type=kind.name,
        slots=slots,
        lasts=lasts,
        priority=0,
        seq=LAST,
        backend=backend,
    )


def _offers(question: Question, backend: str | None, kind: GpuType) -> list[OfferView]:
    sizes = _sizes(kind)
    found = probe(question, [_shape(kind, size, OFFERED, backend) for size in sizes])
    return [
        OfferView(gpus=size, starts_at=placed.starts_at)
        for size, placed in zip(sizes, found, strict=True)
        if placed.starts_at is not None
    ]


def _gang_offers(question: Question, backend: str, kind: GpuType, most: int) -> list[OfferView]:
    """Return when so many whole nodes could start together: powers of two, and all that one zone has."""
    counts = sorted({*(2**n for n in range(1, 11) if 2**n < most), *([most] if most > 1 else [])})
    whole = _shape(kind, kind.slots, OFFERED, backend)
    found = probe(question, [attrs.evolve(whole, nodes=count) for count in counts])
    return [
        OfferView(gpus=kind.gpus_per_node, nodes=count, starts_at=placed.starts_at)
        for count, placed in zip(counts, found, strict=True)
        if placed.starts_at is not None
    ]


def _use(row: Row, user: User) -> UseView:
    return UseView(
        owner=row["owner"],
        gpu_type=row["gpu_type"],
        gpus=row["gpus"],
        nodes=row["nodes"],
        state=row["state"],
        until=row["expires_at"],
        mine=row["owner_id"] == user.id,
    )


def queue(engine: Engine, user: User) -> QueueView:
    """Say who waits for what, in the order of the line, with the planned starts."""
    with engine.store.transaction() as conn:
        seen = fleet.read(conn)
        plans = {
            row["reservation_id"]: row for row in conn.execute(Q["plans_of"], {"ids": [row["id"] for row in seen.line]})
        }
    entries = [_entry(row, plans[row["id"]], user) for row in seen.line if row["id"] in plans]
    return QueueView(as_of=seen.now, entries=entries)


def _entry(row: Row, placed: Row, user: User) -> QueueEntryView:
    mine = row["owner_id"] == user.id
    return QueueEntryView(
        gpu_type=row["gpu_type"],
        gpus=row["gpus"],
        nodes=row["nodes"],
        position=placed["position"],
        owner=row["owner"],
        mine=mine,
        starts_at=placed["starts_at"],
        waiting_for=placed["waiting_for"],
        reservation=row["name"] if mine else None,
    )


def gpu_types(engine: Engine) -> list[GpuTypeView]:
    """Show the catalogue."""
    with engine.store.transaction() as conn:
        kinds = fleet.catalogue(conn)
    return [
        GpuTypeView(
            name=kind.name,
            backend=backend,
            gpus_per_node=kind.gpus_per_node,
            slots_per_node=kind.slots,
            cpus=kind.cpus,
            memory_bytes=kind.memory_bytes,
            description=kind.description,
            pretended=kind.pretended,
            max_duration_seconds=int(engine.limits.longest(kind).total_seconds()),
            gang=kind.gang,
            profiles=list(kind.profiles),
        )
        for backend, kind in kinds
    ]


def dry_run(engine: Engine, user: User, request: Request) -> DryRunView:
    """Say where and when a request would start, and what smaller one would start sooner. Changes nothing."""
    check_request(request)
    with engine.store.transaction() as conn:
        seen = fleet.read(conn)
        disk = None if request.disk is None else disks.find(conn, user.id, request.disk)
        kind = kind_of(conn, engine, request, disk)
        holder = None if disk is None else conn.execute(Q["disk_user"], {"disk_id": disk["id"]}).fetchone()
        away = find_away(conn)
    if holder is not None and holder["state"] != "stopping":
        raise Conflict(f"the disk {request.disk!r} is in use by your reservation {holder['name']!r}")
    question = ask(seen, engine.limits, away)
    lasts = request.duration + engine.limits.grace + engine.limits.stop_allowance
    shape = _shape(kind, kind.slots_for(request.gpus, request.nodes), lasts, request.backend)
    shape = attrs.evolve(shape, nodes=request.nodes, volume=request.disk is not None)
    if disk is not None:
        shape = attrs.evolve(
            shape,
            backend=place_of(disk).backend or shape.backend,
            node=place_of(disk).node,
            zone=place_of(disk).zone,
            exclusive=frozenset({f"disk:{disk['id']}"}),
        )
    smaller = _smaller(request, kind, shape)
    placed, *others = probe(question, [shape, *smaller.values()])
    return DryRunView(
        starts_at=placed.starts_at,
        position=placed.position,
        backend=placed.backend,
        node=placed.node,
        node_names=list(placed.nodes),
        waiting_for=(placed.starts_at is None and say_away(shape.backend, away)) or placed.waiting_for,
        instead=_sooner(placed, list(smaller), others),
    )


def _smaller(request: Request, kind: GpuType, shape: Waiting) -> dict[tuple[int, int], Waiting]:
    """Return what could be asked for instead, by (nodes, GPUs): of a gang fewer nodes, else fewer GPUs."""
    if request.nodes > 1:
        fewer = [count for count in range(1, request.nodes) if count & (count - 1) == 0]
        return {(count, request.gpus): attrs.evolve(shape, nodes=count) for count in fewer}
    sizes = [] if kind.is_cpu else [size for size in _sizes(kind) if size < request.gpus]
    return {(1, size): attrs.evolve(shape, slots=size) for size in sizes}


def _sooner(placed: Placement, sizes: Sequence[tuple[int, int]], others: list[Placement]) -> list[OfferView]:
    """Return the largest request for each moment that is earlier than the one asked about."""
    best: dict[dt.datetime, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for size, other in zip(sizes, others, strict=True):
        if other.starts_at is not None and (placed.starts_at is None or other.starts_at < placed.starts_at):
            best[other.starts_at] = max(best[other.starts_at], size)
    return [OfferView(nodes=nodes, gpus=gpus, starts_at=moment) for moment, (nodes, gpus) in sorted(best.items())]
