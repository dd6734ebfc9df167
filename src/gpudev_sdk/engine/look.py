"""Looks at the world for one reservation: only at what its state needs, and never waits."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import structlog

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSighting, SnapshotState, VolumeRef, VolumeSighting
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.reservation import Reservation, State
from gpudev_sdk.domain.server import Sighting, digest_files
from gpudev_sdk.engine import taken
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.files import ensure_host_key, env_of, wanted_files
from gpudev_sdk.engine.world import EndSnapshot, Served, World
from gpudev_sdk.errors import ProviderError, TryLater
from gpudev_sdk.providers.scaling import Interruption, Spot
from gpudev_sdk.store import disks, fleet, reservations
from gpudev_sdk.store.rows import Conn, Row

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class Look:
    """The row, the world, and what acting on it needs."""

    row: Reservation
    world: World
    files: dict[str, bytes] = attrs.field(factory=dict, repr=False)
    env: dict[str, str] = attrs.field(factory=dict, repr=False)
    disk: Row | None = None
    volume: Row | None = None


def look(engine: Engine, reservation_id: uuid.UUID, epoch: int) -> Look | None:
    """Return what there is to know, or None if the row is gone from our hands."""
    with engine.store.transaction() as conn:
        found = reservations.load(conn, reservation_id)
        if found is None or found[0].lease_epoch != epoch or found[0].state is State.ENDED:
            return None
        row, now = found
        ours = _read(engine, conn, row, now)
    return _observe(engine, ours)


def _read(engine: Engine, conn: Conn, row: Reservation, now: dt.datetime) -> Look:
    served = conn.execute(reservations.Q["served"], {"backend": row.backend}).fetchone()
    assert served is not None  # inserted by the migration
    warned = _warned(conn, row)
    disk = disks.find_by_id(conn, row.disk_id)
    volume = disks.find_volume(conn, row.volume_id)
    world = World(
        now=now,
        served=Served(seconds=served["seconds"], gaps=served["gaps"], updated_at=served["updated_at"]),
        paused=served["paused"],
        warned=frozenset(
            dt.timedelta(seconds=warning["threshold"])
            for warning in warned
            if warning["threshold"] or warning["gaps"] == served["gaps"]
        ),
        volume_ready=bool(volume and disk and volume["state"] == "ready" and disk["volume_id"] == volume["id"]),
        snapshot=_end_snapshot(conn, row),
    )
    seen = Look(row=row, world=world, disk=disk, volume=volume)
    if row.state not in (State.PREPARING, State.ACTIVE):
        return seen
    secrets = ensure_host_key(conn, row, engine.host_ca, now)
    files = wanted_files(conn, row, secrets, warned)
    nodes = conn.execute(fleet.Q["takes_nobody_in"], {"backend": row.backend, "names": _nodes(row)}).fetchone()
    assert nodes is not None  # a SELECT without FROM
    world = attrs.evolve(world, wanted_files=digest_files(files), closed=nodes["closed"])
    return attrs.evolve(seen, world=world, files=files, env=env_of(secrets))


def _warned(conn: Conn, row: Reservation) -> list[Row]:
    if row.expires_at is None:
        return []
    return conn.execute(reservations.Q["warned"], {"id": row.id, "expires_at": row.expires_at}).fetchall()


def _end_snapshot(conn: Conn, row: Reservation) -> EndSnapshot | None:
    if row.end_snapshot_id is None:
        return None
    found = disks.find_snapshot(conn, row.end_snapshot_id)
    if found is None:
        return None
    tries = disks.tries_since(conn, found["volume_id"], row.state_since)
    state = {"completed": SnapshotState.COMPLETED, "error": SnapshotState.ERROR}.get(found["state"])
    return EndSnapshot(snapshot_id=found["id"], state=state, tries=tries, handle=found["handle"])


def _observe(engine: Engine, seen: Look) -> Look:
    row = seen.row
    if row.backend is None or seen.world.paused is not None:
        return seen
    backend = engine.backend(row.backend)
    world = seen.world
    if row.launch_intended_at is None and row.gone_at is None:
        # What is made under an attempt's name is written down before it is made: without that there is nothing.
        world = attrs.evolve(world, sighting=Sighting.absent())
    elif row.state is not State.STOPPING or row.gone_at is None:
        world = attrs.evolve(world, sighting=_server(backend, row))
    elif seen.volume is not None and row.disk_released_at is None:
        volume = _volume(backend, seen.volume) if _minds_volume(row, world) else None
        world = attrs.evolve(world, volume=volume, snapshot=_snapshot(backend, row, world))
    if world.closed:
        world = attrs.evolve(world, taken=_taken(backend, row, world.now))
        if world.taken is not None:
            return _with_notice(seen, world, world.taken, engine.limits)
    return attrs.evolve(seen, world=world)


def _taken(backend: Backend, row: Reservation, now: dt.datetime) -> Interruption | None:
    """Return what is said of the first of its machines to be taken back. A spot machine may go at once where no time is said."""
    compute = backend.compute
    if not isinstance(compute, Spot):
        return None
    try:
        ours = [each for each in compute.interruptions() if each.node in _nodes(row)]
        spot = compute.spot_nodes() if any(each.at is None for each in ours) else ()
    except ProviderError as error:
        log.warning("cannot tell which machines are taken back", backend=backend.name, reason=error.message)
        return None
    dated = [attrs.evolve(each, at=now) if each.at is None and each.node in spot else each for each in ours]
    return min(dated, key=lambda each: (each.at is None, each.at or now, each.node), default=None)


def _nodes(row: Reservation) -> list[str]:
    return [peer.node for peer in row.peers] or [row.node or ""]


def _with_notice(seen: Look, world: World, interruption: Interruption, limits: Limits) -> Look:
    more = taken.notice(seen.row, interruption, world.now, limits)
    files = seen.files | {"notice": seen.files["notice"] + more.encode()}
    return attrs.evolve(seen, world=attrs.evolve(world, wanted_files=digest_files(files)), files=files)


def _minds_volume(row: Reservation, world: World) -> bool:
    """Say whether the volume is of interest: until it is free, and when it is given back; not while its snapshot is taken."""
    taken = world.snapshot is not None and world.snapshot.state is SnapshotState.COMPLETED
    return row.detached_at is None or row.snapshot_skipped is not None or taken


def _server(backend: Backend, row: Reservation) -> Sighting:
    try:
        return backend.compute.observe(row.server_id)
    except TryLater as error:
        return Sighting.unknown(error.message)


def _volume(backend: Backend, volume: Row) -> VolumeSighting | None:
    try:
        return backend.storage.get_volume(volume_ref(volume))
    except TryLater:
        return None


def _snapshot(backend: Backend, row: Reservation, world: World) -> EndSnapshot | None:
    ours = world.snapshot
    if ours is None or ours.state is not None or row.disk_id is None:
        return ours
    if ours.handle is None:
        # It is not known to have been begun. If it was, asking for it again finds it.
        return attrs.evolve(ours, sighting=SnapshotSighting(snapshot_id=ours.snapshot_id, presence="absent"))
    try:
        ref = SnapshotRef(snapshot_id=ours.snapshot_id, disk_id=row.disk_id, handle=ours.handle)
        sighting = backend.storage.get_snapshot(ref)
    except TryLater:
        return ours
    return attrs.evolve(ours, sighting=sighting)


def volume_ref(volume: Row) -> VolumeRef:
    """Name a volume row for its storage."""
    return VolumeRef(volume_id=volume["id"], disk_id=volume["disk_id"], handle=volume["handle"])
