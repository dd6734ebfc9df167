"""Holds the tables and the world against the laws, for people and for the metric. Read-only; repairs nothing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from gpudev_sdk.domain.disk import SnapshotSighting, VolumeSighting
from gpudev_sdk.engine.check import (
    SeenBackend,
    SeenServer,
    SeenSnapshot,
    SeenVolume,
    Tables,
    Violation,
    World,
    check,
    read_tables,
)
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.wire.admin_views import DoctorView, FindingView

#: A backend that was not seen for this long takes nothing new.
UNSEEN = dt.timedelta(minutes=5)
#: What a finding that breaks no law is about.
STANDING = ("attention", "paused", "seen")
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Diagnosis:
    """What breaks a law, and what else waits for a person."""

    as_of: dt.datetime
    violations: tuple[Violation, ...]
    standing: tuple[Violation, ...]


def examine(engine: Engine) -> DoctorView:
    """Check every law once, and list what waits for a person."""
    found = diagnose(engine)
    findings = [
        FindingView(law=one.law, what=one.what, next_step=one.next_step) for one in (*found.violations, *found.standing)
    ]
    return DoctorView(as_of=found.as_of, findings=findings)


def diagnose(engine: Engine) -> Diagnosis:
    """Look, and where something seems wrong look again: what only one of two looks saw was on its way."""
    first = _look(engine)
    if not first.violations:
        return first
    again = _look(engine)
    lasting = {one.key for one in first.violations}
    return attrs.evolve(again, violations=tuple(one for one in again.violations if one.key in lasting))


def _look(engine: Engine) -> Diagnosis:
    # The world first: what begins or ends in between is explained by the tables.
    world = World(backends=tuple(see(backend) for backend in engine.backends.values()))
    with engine.store.transaction() as conn:
        tables = read_tables(conn, world)
    return Diagnosis(
        as_of=tables.as_of,
        violations=tuple(check(tables, world, tables.as_of, engine.limits)),
        standing=tuple(standing(tables, world)),
    )


def see(backend: Backend) -> SeenBackend:
    """Look at everything of a backend; what it cannot tell is None, with the reason."""
    troubles: list[str] = []

    def ask(question: Callable[[], T]) -> T | None:
        try:
            return question()
        except ProviderError as error:
            troubles.append(error.message)
            return None

    compute, storage = backend.compute, backend.storage
    return SeenBackend(
        name=backend.name,
        servers=ask(lambda: tuple(SeenServer(server_id=name) for name in compute.list_servers())),
        volumes=ask(lambda: tuple(_volume(seen) for seen in storage.list_volumes() if seen.presence != "absent")),
        snapshots=ask(lambda: tuple(_snapshot(seen) for seen in storage.list_snapshots() if seen.presence != "absent")),
        allocatable=ask(lambda: Counter((node.name, slot.gpu_type) for node in compute.nodes() for slot in node.slots)),
        trouble="; ".join(dict.fromkeys(troubles)),
    )


def _volume(seen: VolumeSighting) -> SeenVolume:
    return SeenVolume(volume_id=seen.volume_id, attachments=seen.attachments)


def _snapshot(seen: SnapshotSighting) -> SeenSnapshot:
    return SeenSnapshot(snapshot_id=seen.snapshot_id, state=None if seen.state is None else str(seen.state))


def standing(tables: Tables, world: World) -> Iterator[Violation]:
    """Yield what breaks no law and still waits for a person."""
    asking = [(f"reservation {row.label}", row.needs_attention) for row in tables.reservations if row.state != "ended"]
    asking += [
        (f"disk {disk.name} ({disk.id})", disk.needs_attention) for disk in tables.disks if disk.deleted_at is None
    ]
    for thing, why in asking:
        if why is not None:
            step = "See what is said there, and repair the cause."
            yield Violation(law="attention", what=f"{thing}: {why}", next_step=step, key=f"attention:{thing}")
    for backend in tables.backends:
        if backend.paused is not None:
            what, step = (
                f"{backend.name}: {backend.paused}",
                f"Look at the differences: gpudev admin adopt {backend.name}.",
            )
            yield Violation(law="paused", what=what, next_step=step, key=f"paused:{backend.name}")
        if backend.seen_at is not None and tables.as_of > backend.seen_at + UNSEEN:
            what = f"{backend.name} was last seen at {backend.seen_at:%F %T}: {backend.trouble or 'no reason known'}"
            step = "See that the backend can be reached; nothing new starts there meanwhile."
            yield Violation(law="seen", what=what, next_step=step, key=f"seen:{backend.name}")
    for seen in world.backends:
        if seen.trouble:
            what, step = f"{seen.name}: {seen.trouble}", "See that it can be reached; what it has could not be checked."
            yield Violation(law="seen", what=what, next_step=step, key=f"asked:{seen.name}")
