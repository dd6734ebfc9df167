"""How a backend and the database differ, listed before an adoption. Looks only; changes nothing."""

from __future__ import annotations

import uuid

import attrs

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.store import disks
from gpudev_sdk.store.reservations import Q
from gpudev_sdk.store.rows import Row


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
        known = {row["id"] for row in conn.execute("SELECT id FROM reservation")}
        ours_volumes = conn.execute(disks.Q["all_volumes"], {"backend": backend.name}).fetchall()
        ours_snapshots = conn.execute(disks.Q["all_snapshots"], {"backend": backend.name}).fetchall()
    return [
        *_boxes(servers, rows, known),
        *_stored("volume", volumes, ours_volumes),
        *_stored("snapshot", snapshots, ours_snapshots),
    ]


def _boxes(servers: tuple[ServerId, ...], rows: list[Row], known: set[uuid.UUID]) -> list[Difference]:
    live = {ServerId(row["id"], row["attempt"]): row["state"] for row in rows}
    found = []
    for server in servers:
        if server.reservation_id not in known:
            consequence = "it goes on, is reported by `admin doctor`, and is never stopped by gpudev"
            found.append(
                Difference(what=f"the box {server} runs and the database never heard of it", consequence=consequence)
            )
        elif server not in live:
            consequence = "its reservation is over here, so it is stopped; its disk stays"
            found.append(
                Difference(what=f"the box {server} runs and the database says it is over", consequence=consequence)
            )
    for server, state in live.items():
        if server not in servers and state == "active":
            consequence = "its reservation ends as failed; its disk stays"
            found.append(
                Difference(what=f"the box {server} is active in the database and does not run", consequence=consequence)
            )
    return found


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
