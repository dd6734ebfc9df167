"""How a backend and the database differ, listed before an adoption. Looks only; changes nothing."""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.orphans import Ahead, Strays, find_strays
from gpudev_sdk.store import disks
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import Row

#: By state: what the database says of a box that does not run, and what becomes of its reservation.
_NOT_RUNNING = {
    "active": ("is active", "its reservation ends as failed; its disk stays"),
    # While all is paused a processor still sees that it is not there: the row may be on its way already.
    "stopping": ("is stopping", "its reservation ends; its disk stays"),
}


@attrs.frozen(kw_only=True)
class Difference:
    """One thing that only one of the two knows, and what an adoption makes of it."""

    what: str
    consequence: str


def differences(engine: Engine, backend: Backend) -> list[Difference]:
    """List them all: boxes, volumes, snapshots."""
    servers = backend.compute.list_servers()
    volumes = {seen.volume_id for seen in backend.storage.list_volumes()}
    snapshots = {seen.snapshot_id for seen in backend.storage.list_snapshots()}
    with engine.store.transaction() as conn:
        rows = conn.execute(Q["live_servers"], {"backend": backend.name}).fetchall()
        gone = conn.execute("SELECT id FROM reservation WHERE state = 'stopping' AND gone_at IS NOT NULL").fetchall()
        strays = find_strays(conn, servers)
        ours_volumes = conn.execute(disks.Q["all_volumes"], {"backend": backend.name}).fetchall()
        ours_snapshots = conn.execute(disks.Q["all_snapshots"], {"backend": backend.name}).fetchall()
    return [
        *_unwanted(strays),
        *map(_ahead, strays.ahead),
        *_missing(servers, rows, {row["id"] for row in gone}),
        *_stored("volume", volumes, ours_volumes),
        *_stored("snapshot", snapshots, ours_snapshots),
    ]


def _unwanted(strays: Strays) -> list[Difference]:
    goes_on = "it goes on, is reported by `admin doctor`, and is never stopped by gpudev"
    stopped = "its reservation is over here, so it is stopped; its disk stays"
    return [
        *(
            Difference(what=f"the box {server} runs and the database never heard of it", consequence=goes_on)
            for server in strays.unknown
        ),
        *(
            Difference(what=f"the box {server} runs and the database says it is over", consequence=stopped)
            for server in strays.over
        ),
    ]


def _ahead(found: Ahead) -> Difference:
    """Name a box of an attempt that the database has not come to yet."""
    if found.state == "queued":
        return Difference(
            what=f"the box {found.server} runs and in the database its reservation still waits",
            consequence="it goes on; its reservation is held back, and ends with it when it is cancelled",
        )
    return Difference(
        what=f"the box {found.server} runs and the database is only at attempt {found.attempt}",
        consequence="it goes on until its reservation comes to that attempt, or ends",
    )


def _missing(servers: tuple[ServerId, ...], rows: list[Row], gone: set[uuid.UUID]) -> list[Difference]:
    """Name the boxes that the database takes to be there; those that it saw gone are none."""
    return [
        Difference(what=f"the box {server} {said[0]} in the database and does not run", consequence=said[1])
        for row in rows
        if (server := ServerId(row["id"], row["attempt"])) not in servers
        and row["id"] not in gone
        and (said := _NOT_RUNNING.get(row["state"])) is not None
    ]


def _stored(kind: str, seen: set[uuid.UUID], rows: list[Row]) -> list[Difference]:
    known = {row["id"]: row for row in rows}
    found = [
        Difference(what=f"the {kind} {thing} is stored and the database never heard of it", consequence="it is kept")
        for thing in sorted(seen - set(known))
    ]
    for thing, row in sorted(known.items()):
        if thing not in seen and row["state"] in ("ready", "completed"):
            consequence = f"what needs it fails with a clear message; disk {row['disk_id']}"
            found.append(
                Difference(what=f"the {kind} {thing} is in the database and not stored", consequence=consequence)
            )
    return found
