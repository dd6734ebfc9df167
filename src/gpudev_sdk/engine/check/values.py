"""What a law is given and what it answers."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator

import attrs

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine.check.tables import (
    DiskRow,
    EventRow,
    LeaseRow,
    ReservationRow,
    SlotRow,
    SnapshotRow,
    Tables,
    VolumeRow,
    WarningRow,
)
from gpudev_sdk.engine.check.world import World

REPORT = "Stop gpudev and report this, with `gpudev admin backup` of before."


@attrs.frozen(kw_only=True)
class Violation:
    """One thing that is not as it must be, and what a person does about it."""

    law: str
    what: str
    next_step: str
    #: The same violation has the same key at every look.
    key: str


@attrs.frozen(kw_only=True)
class Case:
    """Everything a law may look at, with the rows by what they belong to."""

    tables: Tables
    world: World
    now: dt.datetime
    limits: Limits
    settled: bool
    rows: dict[uuid.UUID, ReservationRow]
    events: dict[uuid.UUID, list[EventRow]]
    warnings: dict[uuid.UUID, list[WarningRow]]
    held: dict[uuid.UUID, list[SlotRow]]
    leases: dict[uuid.UUID, list[LeaseRow]]
    disks: dict[uuid.UUID, DiskRow]
    volumes: dict[uuid.UUID, VolumeRow]
    snapshots: dict[uuid.UUID, SnapshotRow]
    paused: frozenset[str]

    def told(self) -> Iterator[tuple[ReservationRow, list[EventRow]]]:
        """Yield the reservations whose history was read, with it."""
        for row in self.tables.reservations:
            if row.told:
                yield row, self.events.get(row.id, [])


def case_of(tables: Tables, world: World, now: dt.datetime, limits: Limits, *, settled: bool) -> Case:
    """Sort the rows by what they belong to."""
    events: dict[uuid.UUID, list[EventRow]] = defaultdict(list)
    warnings: dict[uuid.UUID, list[WarningRow]] = defaultdict(list)
    held: dict[uuid.UUID, list[SlotRow]] = defaultdict(list)
    leases: dict[uuid.UUID, list[LeaseRow]] = defaultdict(list)
    for event in tables.events:
        events[event.reservation_id].append(event)
    for warning in tables.warnings:
        warnings[warning.reservation_id].append(warning)
    for slot in tables.slots:
        if slot.reservation_id is not None:
            held[slot.reservation_id].append(slot)
    for lease in tables.leases:
        leases[lease.reservation_id].append(lease)
    return Case(
        tables=tables,
        world=world,
        now=now,
        limits=limits,
        settled=settled,
        rows={row.id: row for row in tables.reservations},
        events=events,
        warnings=warnings,
        held=held,
        leases=leases,
        disks={disk.id: disk for disk in tables.disks},
        volumes={volume.id: volume for volume in tables.volumes},
        snapshots={snapshot.id: snapshot for snapshot in tables.snapshots},
        paused=frozenset(backend.name for backend in tables.backends if backend.paused is not None),
    )


Look = Callable[[Case], Iterator[Violation]]


def steady(events: list[EventRow]) -> bool:
    """Say whether the clock never went back during a history, so that its times can be compared."""
    return all(one.at <= next_one.at for one, next_one in itertools.pairwise(events))


def last(events: list[EventRow], what: str) -> EventRow | None:
    """Return the newest entry of one kind, or None."""
    return next((event for event in reversed(events) if event.what == what), None)
