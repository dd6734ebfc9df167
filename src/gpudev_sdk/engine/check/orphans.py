"""I-8: nothing outside outlives who wanted it, and nothing of ours points at what is gone.

What no row of ours knows is reported and never removed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.check.tables import EventRow, ReservationRow
from gpudev_sdk.engine.check.values import Case, Violation
from gpudev_sdk.engine.check.world import SeenBackend, SeenServer

SERVERS_WITHIN = dt.timedelta(minutes=5)
UNKNOWN = "Find out whose it is; gpudev never removes it by itself."


def nothing_is_orphaned(case: Case) -> Iterator[Violation]:
    """I-8: servers, volumes and snapshots have a row, and rows have theirs."""
    for backend in case.world.backends:
        yield from _servers(case, backend)
        yield from _volumes(case, backend)
        yield from _snapshots(case, backend)
    yield from _left_by_the_purged(case)
    if case.settled:
        yield from _unfinished(case)


def _violation(what: str, key: str, next_step: str) -> Violation:
    return Violation(law="I-8", what=what, next_step=next_step, key=f"I-8:{key}")


def _servers(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    if backend.servers is None:
        return
    for server in backend.servers:
        row = case.rows.get(server.server_id.reservation_id)
        if row is None:
            what = f"{backend.name}: {server.server_id} runs and no reservation knows it"
            yield _violation(what, f"unknown:{server.server_id}", UNKNOWN.replace("removes", "stops"))
            continue
        over = _over_since(row, case.events.get(row.id, []), server)
        if over is not None and case.now > over + SERVERS_WITHIN:
            what = f"{backend.name}: {server.server_id} runs and was over at {over:%F %T}"
            step = "The next sweep stops it; if it does not, the backend cannot: stop it there by hand."
            yield _violation(what, f"stray:{server.server_id}", step)
    running = {server.server_id for server in backend.servers}
    for row in case.tables.reservations:
        if row.state == "active" and row.backend == backend.name and _missing(case, row, running):
            what = f"{row.label} is active and nothing of it runs on {backend.name}"
            yield _violation(
                what, f"gone:{row.id}", "See that a processor runs; the row ends as failed, its disk stays."
            )


def _over_since(row: ReservationRow, events: list[EventRow], server: SeenServer) -> dt.datetime | None:
    """Return when this attempt was over, or since when it runs after that; None if it is not over."""
    attempt = server.server_id.attempt
    if attempt > row.attempt or (attempt == row.attempt and row.gone_at is None and row.state != "ended"):
        return None
    over = row.gone_at or row.ended_at or row.state_since
    number = 1
    for event in events:
        if number == attempt and event.what in ("gone", "to-queued"):
            over = event.at
            break
        number += event.what == "to-queued"
    return max(over, server.since or over)


def _missing(case: Case, row: ReservationRow, running: set[ServerId]) -> bool:
    """Say whether its server is gone and nobody noticed for longer than the bound."""
    if ServerId(row.id, row.attempt) in running:
        return False
    signs = [row.state_since, *(event.at for event in case.events.get(row.id, []))]
    if row.wake_at is not None and not case.settled:
        # It is looked at whenever its time to wake has come.
        signs.append(row.wake_at)
    return case.now > max(signs) + SERVERS_WITHIN


def _volumes(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    if backend.volumes is None:
        return
    stored = {seen.volume_id for seen in backend.volumes}
    for volume_id in sorted(stored):
        row = case.volumes.get(volume_id)
        if row is None:
            what = f"{backend.name}: volume {volume_id} is stored and no disk knows it"
            yield _violation(what, f"unknown:{volume_id}", UNKNOWN)
        elif row.state == "deleted":
            what = f"{backend.name}: volume {volume_id} was deleted and is still stored"
            yield _violation(what, f"left:{volume_id}", "See at the backend why, and remove it there.")
    for row in case.tables.volumes:
        if row.backend == backend.name and row.state == "ready" and row.id not in stored:
            what = f"{backend.name}: volume {row.id} of disk {row.disk_id} is not stored any more"
            yield _violation(
                what, f"gone:{row.id}", "Restore the disk from one of its snapshots; find out who removed it."
            )


def _snapshots(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    if backend.snapshots is None:
        return
    stored = {seen.snapshot_id for seen in backend.snapshots}
    for snapshot_id in sorted(stored):
        row = case.snapshots.get(snapshot_id)
        if row is None:
            what = f"{backend.name}: snapshot {snapshot_id} is stored and no disk knows it"
            yield _violation(what, f"unknown:{snapshot_id}", UNKNOWN)
        elif row.state == "deleted":
            what = f"{backend.name}: snapshot {snapshot_id} was deleted and is still stored"
            yield _violation(what, f"left:{snapshot_id}", "See at the backend why, and remove it there.")
    for row in case.tables.snapshots:
        if row.backend == backend.name and row.state == "completed" and row.id not in stored:
            what = f"{backend.name}: snapshot {row.id} of disk {row.disk_id} is not stored any more"
            yield _violation(what, f"gone:{row.id}", "Take a new one (gpudev disk snapshot); find out who removed it.")


def _left_by_the_purged(case: Case) -> Iterator[Violation]:
    purged = {disk.id for disk in case.tables.disks if disk.purged_at is not None}
    for kind, rows in (("volume", case.tables.volumes), ("snapshot", case.tables.snapshots)):
        for row in rows:
            if row.disk_id in purged and row.state != "deleted":
                what = f"{kind} {row.id} is {row.state} and its disk {row.disk_id} is gone for good"
                yield _violation(what, f"purged:{row.id}", "Report this; the storage is still used.")


def _unfinished(case: Case) -> Iterator[Violation]:
    """Once nothing stands in the way, no deletion is left half done."""
    for kind, rows in (("volume", case.tables.volumes), ("snapshot", case.tables.snapshots)):
        for row in rows:
            if row.state == "deleting":
                what = f"{kind} {row.id} of disk {row.disk_id} is still being deleted"
                yield _violation(what, f"deleting:{row.id}", "See at the backend why it stays.")
