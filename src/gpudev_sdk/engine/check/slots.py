"""I-1, I-19 and I-21: nobody holds another's GPU, everybody holds all of theirs or none, and has a place for their volume."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from gpudev_sdk.engine.check.tables import ReservationRow
from gpudev_sdk.engine.check.values import REPORT, Case, Violation
from gpudev_sdk.engine.check.world import SeenBackend, SeenServer


def no_slot_has_two_holders(case: Case) -> Iterator[Violation]:
    """I-1: rows hold what their state says, servers run where their rows are, and no node is overfull."""
    for row in case.tables.reservations:
        yield from _holding(case, row)
    for backend in case.world.backends:
        yield from _overfull(case, backend)
        yield from _shared(backend)
        if backend.name not in case.paused:
            yield from _misplaced(case, backend)


def _may_hold_none(row: ReservationRow) -> bool:
    return row.gone_at is not None or row.launch_intended_at is None


#: Whether a row in a state may hold this many slots.
_LAWFUL: dict[str, Callable[[ReservationRow, int], bool]] = {
    "queued": lambda row, count: count == 0,
    "preparing": lambda row, count: count == row.slots_in_all,
    "active": lambda row, count: count == row.slots_in_all,
    "stopping": lambda row, count: count == row.slots_in_all or (count == 0 and _may_hold_none(row)),
    "ended": lambda row, count: count == 0,
}


def _violation(what: str, key: str, next_step: str = REPORT) -> Violation:
    return Violation(law="I-1", what=what, next_step=next_step, key=f"I-1:{key}")


def _holding(case: Case, row: ReservationRow) -> Iterator[Violation]:
    slots = case.held.get(row.id, [])
    count = sum(len(slot.indices) for slot in slots)
    if not _LAWFUL[row.state](row, count):
        yield _violation(f"{row.label} is {row.state} and holds {count} of {row.slots_in_all} slots", f"held:{row.id}")
    foreign = any((slot.backend, slot.gpu_type) != (row.backend, row.gpu_type) for slot in slots)
    nodes = {slot.node for slot in slots}
    if foreign or (slots and row.node not in nodes) or len(nodes) > row.nodes:
        yield _violation(f"{row.label} holds slots elsewhere than on {row.backend}/{row.node}", f"elsewhere:{row.id}")


def _overfull(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    """Slots that vanished under a box stay its own, so a node has as many as it says or as our table has held there."""
    if backend.servers is None or backend.allocatable is None:
        return
    used: dict[tuple[str, str], int] = defaultdict(int)
    for server in backend.servers:
        if server.gpu_type is not None:
            for share in server.shares:
                used[share.node, server.gpu_type] += len(share.slots)
    held: dict[tuple[str, str], int] = defaultdict(int)
    for slot in case.tables.slots:
        if slot.backend == backend.name and slot.reservation_id is not None:
            held[slot.node, slot.gpu_type] += len(slot.indices)
    for (node, gpu_type), count in used.items():
        room = max(backend.allocatable.get((node, gpu_type), 0), held[node, gpu_type])
        if count > room:
            place = f"{backend.name}/{node}"
            yield _violation(
                f"{place}: servers use {count} × {gpu_type} and there are {room}", f"full:{place}/{gpu_type}"
            )


def _shared(backend: SeenBackend) -> Iterator[Violation]:
    users: dict[tuple[str, str, int], SeenServer] = {}
    for server in backend.servers or ():
        if server.gpu_type is None:
            continue
        for node, index in [(share.node, index) for share in server.shares for index in share.slots]:
            other = users.setdefault((node, server.gpu_type, index), server)
            if other is not server:
                place = f"{backend.name}/{node} {server.gpu_type} {index}"
                yield _violation(f"{place} is used by {other.server_id} and {server.server_id}", f"shared:{place}")


def _misplaced(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    """A paused backend is left out: how it differs is for `admin adopt` to list."""
    for server in backend.servers or ():
        row = case.rows.get(server.server_id.reservation_id)
        if row is None or server.server_id.attempt < row.attempt or row.state == "ended":
            continue
        name = server.server_id
        if name.attempt > row.attempt or row.state == "queued":
            yield _violation(f"{backend.name}: {name} runs and was never placed", f"early:{name}")
        elif row.backend != backend.name or _strays(case, row, server):
            place = f"{backend.name}/{' and '.join(share.node for share in server.shares) or '?'}"
            yield _violation(f"{name} runs on {place} and belongs on {row.backend}/{row.node}", f"misplaced:{name}")


def _strays(case: Case, row: ReservationRow, server: SeenServer) -> bool:
    """Say whether a server is on a node that is not its row's; of a gang whose slots are free again only rank 0 is known."""
    held = {slot.node for slot in case.held.get(row.id, [])} | {row.node}
    shares = server.shares if len(held) == row.nodes else server.shares[:1]
    return any(share.node not in held for share in shares)


def all_slots_or_none(case: Case) -> Iterator[Violation]:
    """I-19: no reservation holds a part of what it needs: all slots of each of its nodes, which are of one zone."""
    for row in case.tables.reservations:
        slots = case.held.get(row.id, [])
        if not slots:
            continue
        counts: Counter[tuple[str, str]] = Counter()
        for slot in slots:
            counts[slot.backend, slot.node] += len(slot.indices)
        zones = {(slot.backend, slot.zone) for slot in slots}
        if len(zones) > 1 or sorted(counts.values()) != [row.slots_needed] * row.nodes:
            places = ", ".join(f"{count} on {node}" for (_, node), count in sorted(counts.items()))
            what = f"{row.label} holds {places} and needs {row.slots_needed} on each of {row.nodes} in one zone"
            yield Violation(law="I-19", what=what, next_step=REPORT, key=f"I-19:{row.id}")


def volumes_have_places(case: Case) -> Iterator[Violation]:
    """I-21: nobody is brought up with a disk on a node that has no place for it; a limit that shrinks later breaks nothing."""
    limits = {(slot.backend, slot.node): slot.volumes for slot in case.tables.slots if slot.volumes is not None}
    having: dict[tuple[str, str], list[ReservationRow]] = defaultdict(list)
    for row in case.tables.reservations:
        if row.backend is not None and row.node is not None and _has_volume(case, row):
            having[row.backend, row.node].append(row)
    for place, rows in having.items():
        most, coming = limits.get(place), [row.label for row in rows if row.state == "preparing"]
        if most is not None and len(rows) > most and coming:
            where = "/".join(place)
            what = f"{where} can have {most} of our volumes, {len(rows)} are to be there, and {coming[0]} is being brought up"
            step = "See whether others attached disks there just now; if nobody did, report this."
            yield Violation(law="I-21", what=what, next_step=step, key=f"I-21:{where}")


def _has_volume(case: Case, row: ReservationRow) -> bool:
    """Count as the planner does: from the place on until its volume is known to be detached."""
    holds = any(lease.disk_id == row.disk_id for lease in case.leases.get(row.id, []))
    return holds and row.detached_at is None and row.state in ("preparing", "active", "stopping")
