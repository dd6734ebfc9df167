"""A small lawful install, part by part, for tests that break one thing of it."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.check import Record, SeenBackend, SeenServer, SeenSnapshot, SeenVolume, Tables, World, check
from gpudev_sdk.engine.check.tables import (
    BackendRow,
    DiskRow,
    EventRow,
    LeaseRow,
    ReservationRow,
    SlotRow,
    SnapshotRow,
    UserRow,
    VolumeRow,
    WarningRow,
)

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
SECOND = dt.timedelta(seconds=1)
LIMITS = Limits.one_machine()


def uid(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


KIM, LEE, ROOT = uid(1), uid(2), uid(3)
ACTIVE, WAITING, EXPIRED, STOPPING = uid(11), uid(12), uid(13), uid(14)
DISK, VOLUME, SNAPSHOT, OLD_SNAPSHOT, OTHER_DISK = uid(21), uid(31), uid(41), uid(42), uid(22)
START = NOW - 2 * HOUR
END = NOW - 30 * MINUTE


def row(number: uuid.UUID, state: str, **fields) -> ReservationRow:
    """Return a reservation of kim's for one h100."""
    made = ReservationRow(
        id=number, owner_id=KIM, name=f"box-{number.int}", state=state, generation=1, attempt=1, seq=number.int, priority=0,
        gpu_type="h100", gpus=1, slots_needed=1, nodes=1, granted=4 * 3600.0, asked=4 * 3600.0,
        wished_backend=None, wished_disk=None,
        created_at=START, state_since=START, state_deadline=NOW + HOUR, started_at=None, expires_at=None, ended_at=None,
        cancel_requested_at=None, end_reason=None, detail="", end_detail="", needs_attention=None, backend=None, node=None,
        launch_intended_at=None, gone_at=None, down_since=None, disk_id=None, volume_id=None, detached_at=None,
        disk_released_at=None, retry_at=None, wake_at=NOW, told=True,
    )  # fmt: skip
    return attrs.evolve(made, **fields)


def history(number: uuid.UUID, *entries: tuple[str, dt.datetime], actor: str = "kim") -> tuple[EventRow, ...]:
    """Return a history: `submitted`, `to-STATE` and whatever else, each with its time."""
    events: list[EventRow] = []
    state = None
    for generation, (what, at) in enumerate(entries, 1):
        to = "queued" if what == "submitted" else what.removeprefix("to-") if what.startswith("to-") else state
        who = actor if what in ("submitted", "cancel", "extend") else "worker"
        events.append(
            EventRow(
                reservation_id=number, generation=generation, what=what, from_state=state, to_state=to, detail="",
                actor=who, at=at,
            )
        )  # fmt: skip
        state = to
    return tuple(events)


def slot(index: int, holder: uuid.UUID | None = None, **fields) -> SlotRow:
    made = SlotRow(
        backend="lab", node="n1", gpu_type="h100", present=True, busy=False, schedulable=True, reservation_id=holder,
        indices=(index,),
    )  # fmt: skip
    return attrs.evolve(made, **fields)


def snapshot(number: uuid.UUID, asked: dt.datetime, **fields) -> SnapshotRow:
    made = SnapshotRow(
        id=number, disk_id=DISK, volume_id=VOLUME, backend="lab", state="completed", requested_at=asked,
        completed_at=asked + MINUTE,
    )  # fmt: skip
    return attrs.evolve(made, **fields)


def _reservations() -> tuple[ReservationRow, ...]:
    home = {"backend": "lab", "node": "n1", "launch_intended_at": START}
    times = {"started_at": START, "expires_at": START + 4 * HOUR}
    return (
        row(ACTIVE, "active", generation=4, disk_id=DISK, volume_id=VOLUME, wished_disk="work", **home, **times),
        row(WAITING, "queued", owner_id=LEE, slots_needed=8, gpus=8),
        row(
            EXPIRED, "ended", generation=8, state_since=NOW - 20 * MINUTE, ended_at=NOW - 20 * MINUTE, end_reason="expired",
            end_detail="its time was up", started_at=END - 4 * HOUR, expires_at=END, gone_at=NOW - 21 * MINUTE,
            state_deadline=None, wake_at=None, **home,
        ),
        row(
            STOPPING, "stopping", owner_id=LEE, generation=5, state_since=NOW - MINUTE, end_reason="cancelled",
            cancel_requested_at=NOW - MINUTE, **home,
        ),
    )  # fmt: skip


def _events() -> tuple[EventRow, ...]:
    begun = END - 5 * HOUR
    expired = [("submitted", begun), ("to-preparing", begun), ("launch", begun), ("to-active", END - 4 * HOUR)]
    expired += [("warning", END), ("to-stopping", END + 2 * MINUTE), ("gone", NOW - 21 * MINUTE)]
    stopped = [("submitted", START), ("to-preparing", START), ("to-active", START), ("cancel", NOW - MINUTE)]
    return (
        *history(ACTIVE, ("submitted", START), ("to-preparing", START), ("launch", START), ("to-active", START)),
        *history(WAITING, ("submitted", START), actor="lee"),
        *history(EXPIRED, *expired, ("to-ended", NOW - 20 * MINUTE)),
        *history(STOPPING, *stopped, ("to-stopping", NOW - MINUTE), actor="lee"),
    )


def _tables() -> Tables:
    disk = DiskRow(
        id=DISK, owner_id=KIM, name="work", volume_id=VOLUME, restore_from=None, deleted_at=None, purge_at=None,
        purged_at=None, needs_attention=None,
    )  # fmt: skip
    volume = VolumeRow(
        id=VOLUME, disk_id=DISK, backend="lab", state="ready", detached_at=NOW - 9 * HOUR, deletable_snapshot_id=None,
        delete_reason=None,
    )  # fmt: skip
    people = ((KIM, "kim", False), (LEE, "lee", False), (ROOT, "root", True))
    return Tables(
        as_of=NOW,
        reservations=_reservations(),
        events=_events(),
        warnings=(WarningRow(reservation_id=EXPIRED, threshold=0, expires_at=END, gaps=0, at=END),),
        slots=(slot(0, ACTIVE), slot(1, STOPPING), slot(2, indices=(2, 3, 4, 5, 6, 7))),
        leases=(LeaseRow(disk_id=DISK, reservation_id=ACTIVE, attempt=1),),
        disks=(disk,),
        volumes=(volume,),
        snapshots=(snapshot(OLD_SNAPSHOT, NOW - 20 * HOUR), snapshot(SNAPSHOT, NOW - 9 * HOUR + MINUTE)),
        users=tuple(UserRow(id=number, name=name, is_admin=admin) for number, name, admin in people),
        backends=(BackendRow(name="lab", paused=None, seen_at=NOW, trouble=None),),
        types=(("lab", "h100"),),
    )


def server(number: uuid.UUID, index: int, *, attempt: int = 1, **fields) -> SeenServer:
    return SeenServer(server_id=ServerId(number, attempt), node="n1", gpu_type="h100", slots=(index,), **fields)


def _world() -> World:
    lab = SeenBackend(
        name="lab",
        servers=(server(ACTIVE, 0, volume_id=VOLUME), server(STOPPING, 1)),
        volumes=(SeenVolume(volume_id=VOLUME, attachments=("n1",)),),
        snapshots=(SeenSnapshot(snapshot_id=SNAPSHOT), SeenSnapshot(snapshot_id=OLD_SNAPSHOT)),
        allocatable={("n1", "h100"): 8},
    )
    return World(backends=(lab,), record=Record())


@attrs.frozen(kw_only=True)
class Install:
    """Tables and world together; every change gives a new one."""

    tables: Tables = attrs.field(factory=_tables)
    world: World = attrs.field(factory=_world)
    limits: Limits = LIMITS

    def row(self, number: uuid.UUID, **fields) -> Install:
        """Change a reservation."""
        return self._one("reservations", number, fields)

    def disk(self, **fields) -> Install:
        """Change the disk."""
        return self._one("disks", DISK, fields)

    def volume(self, **fields) -> Install:
        """Change the volume."""
        return self._one("volumes", VOLUME, fields)

    def snapshot(self, number: uuid.UUID, **fields) -> Install:
        """Change a snapshot."""
        return self._one("snapshots", number, fields)

    def _one(self, family: str, number: uuid.UUID, fields) -> Install:
        rows = getattr(self.tables, family)
        return self.put(**{family: tuple(attrs.evolve(one, **fields) if one.id == number else one for one in rows)})

    def put(self, **families) -> Install:
        """Replace whole families of rows."""
        return attrs.evolve(self, tables=attrs.evolve(self.tables, **families))

    def add(self, **families) -> Install:
        """Add rows to families."""
        return self.put(**{name: (*getattr(self.tables, name), *rows) for name, rows in families.items()})

    def told(self, number: uuid.UUID, *entries: tuple[str, dt.datetime], actor: str = "kim") -> Install:
        """Give a reservation another history, and the generation that goes with it."""
        others = tuple(event for event in self.tables.events if event.reservation_id != number)
        return self.put(events=(*others, *history(number, *entries, actor=actor))).row(number, generation=len(entries))

    def seen(self, **fields) -> Install:
        """Change what was seen of the backend."""
        lab = attrs.evolve(self.world.backends[0], **fields)
        return attrs.evolve(self, world=attrs.evolve(self.world, backends=(lab,)))

    def record(self, **fields) -> Install:
        """Change what a simulation knows."""
        return attrs.evolve(self, world=attrs.evolve(self.world, record=Record(**fields)))

    def laws(self, *, settled: bool = False, only=None) -> list[str]:
        """Return the laws that are broken, each once."""
        return list(dict.fromkeys(one.law for one in self.check(settled=settled, only=only)))

    def check(self, *, settled: bool = False, only=None):
        """Return the violations."""
        return check(self.tables, self.world, NOW, self.limits, settled=settled, only=only)


def placed_beside(most: int | None, **fields) -> Install:
    """Return an install where one more box with a disk is brought up on a node that can have so many volumes."""
    coming = {"disk_id": OTHER_DISK, "backend": "lab", "node": "n1", "slots_needed": 1, "gpus": 1} | fields
    entries = [("submitted", START), ("to-preparing", NOW)]
    install = Install().told(WAITING, *entries, actor="lee").row(WAITING, state="preparing", **coming)
    leases = (LeaseRow(disk_id=OTHER_DISK, reservation_id=WAITING, attempt=1),)
    held = (slot(0, ACTIVE), slot(1, STOPPING), slot(2, WAITING), slot(3))
    return install.add(leases=leases).put(slots=tuple(attrs.evolve(one, volumes=most) for one in held))
