"""The fleet family of tables: types, nodes, slots, claims, and the planner's own."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence

import attrs
from psycopg.types.json import Jsonb

from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.domain.plan import Placement, Plan
from gpudev_sdk.store import bell
from gpudev_sdk.store.rows import Conn, Row, gpu_type_from_row, gpu_type_to_json
from gpudev_sdk.store.sql import queries

Q = queries("fleet")
#: (backend, node, GPU type), and with the slot's index.
_Place = tuple[str | None, str | None, str]
_Slot = tuple[str | None, str | None, str, int]


@attrs.frozen(kw_only=True)
class Fleet:
    """What planner and availability read, all in one transaction."""

    now: dt.datetime
    bins: list[Row]
    holders: list[Row]
    line: list[Row]
    held_disks: dict[uuid.UUID, uuid.UUID]


def read(conn: Conn) -> Fleet:
    """Read the fleet as it is now."""
    from_disks = conn.execute("SELECT disk_id, reservation_id FROM disk_lease WHERE released_at IS NULL").fetchall()
    now = conn.execute("SELECT gpudev_now() AS now").fetchone()
    assert now is not None  # a SELECT without FROM
    return Fleet(
        now=now["now"],
        bins=conn.execute(Q["bins"]).fetchall(),
        holders=conn.execute(Q["holders"]).fetchall(),
        line=conn.execute(Q["line"]).fetchall(),
        held_disks={row["disk_id"]: row["reservation_id"] for row in from_disks},
    )


def catalogue(conn: Conn) -> list[tuple[str, GpuType]]:
    """Return (backend, type) of everything there is."""
    return [(row["backend"], gpu_type_from_row(row)) for row in conn.execute(Q["list_types"])]


def together(conn: Conn) -> dict[tuple[str, str], int]:
    """Return the most whole nodes of a type that one zone has, by (backend, GPU type)."""
    return {(row["backend"], row["gpu_type"]): row["nodes"] for row in conn.execute(Q["together"])}


def together_with(conn: Conn, backend: str, node: str, kind: GpuType) -> int:
    """Return how many whole nodes of a type the zone of `node` has, if it is one of them."""
    wanted = {"backend": backend, "node": node, "gpu_type": kind.name, "slots": kind.slots}
    row = conn.execute(Q["together_with"], wanted).fetchone()
    return 0 if row is None else int(row["nodes"])


def together_in(conn: Conn, backend: str, zone: str, kind: GpuType) -> int:
    """Return how many whole nodes of a type a zone has."""
    wanted = {"backend": backend, "zone": zone, "gpu_type": kind.name, "slots": kind.slots}
    row = conn.execute(Q["together_in"], wanted).fetchone()
    return 0 if row is None else int(row["nodes"])


def gpu_type(conn: Conn, backend: str | None, name: str) -> GpuType | None:
    """Return one type of one backend, or None."""
    return next((kind for place, kind in catalogue(conn) if place == backend and kind.name == name), None)


def note_inventory(conn: Conn, backend: str, kinds: Sequence[GpuType], nodes: Sequence[Node]) -> bool:
    """Write what a backend has, and wake who is on a node that closes or opens; return whether anything changed."""
    # It locks all slots and the planner many, each in an order of its own: both at once might wait for each other.
    conn.execute(Q["planner_lock"])
    still_open = {"backend": backend, "open": [node.name for node in nodes if node.schedulable]}
    woken = [row["id"] for row in conn.execute(Q["on_changing_nodes"], still_open)]
    changed = 0
    for kind in kinds:
        spec = Jsonb(gpu_type_to_json(kind))
        offered = {"backend": backend, "name": kind.name, "spec": spec}
        offered |= {"gang": kind.gang, "profiles": list(kind.profiles)}
        changed += conn.execute(Q["put_type"], offered).rowcount
    names = {"backend": backend, "names": [kind.name for kind in kinds]}
    changed += conn.execute(Q["drop_types"], names).rowcount
    for node in nodes:
        fields = attrs.asdict(node, recurse=False)
        changed += conn.execute(Q["put_node"], fields | {"backend": backend}).rowcount
    changed += conn.execute(Q["lose_nodes"], {"backend": backend, "names": [node.name for node in nodes]}).rowcount
    changed += _note_slots(conn, backend, nodes)
    conn.execute(Q["put_inventory"], {"backend": backend, "trouble": None})
    bell.ring_work(conn, "reservation", *woken)
    return changed > 0


def _note_slots(conn: Conn, backend: str, nodes: Sequence[Node]) -> int:
    changed, seen = 0, []
    conn.execute(Q["lock_slots"], {"backend": backend})
    for node in nodes:
        for slot in node.slots:
            fields = {
                "backend": backend,
                "node": node.name,
                "gpu_type": slot.gpu_type,
                "idx": slot.index,
                "device": slot.device,
                "busy_outside": slot.busy_outside,
            }
            changed += conn.execute(Q["put_slot"], fields).rowcount
            seen.append(f"{node.name}/{slot.gpu_type}/{slot.index}")
    return changed + conn.execute(Q["lose_slots"], {"backend": backend, "seen": seen}).rowcount


def note_trouble(conn: Conn, backend: str, trouble: str) -> None:
    """Write that a backend could not be seen; what was known of it stays."""
    conn.execute(Q["put_inventory"], {"backend": backend, "trouble": trouble})


def write_plan(conn: Conn, plan: Plan, started: set[uuid.UUID]) -> None:
    """Replace the plan by a new one, without those that just started; what stays the same is not written again."""
    conn.execute(Q["clear_plan"])
    waiting = [placed for placed in plan.placements if placed.reservation_id not in started]
    columns = {
        "reservation_ids": [placed.reservation_id for placed in waiting],
        "positions": [placed.position for placed in waiting],
        "starts": [placed.starts_at for placed in waiting],
        "backends": [placed.backend for placed in waiting],
        "nodes": [placed.node for placed in waiting],
        "reasons": [placed.waiting_for for placed in waiting],
    }
    conn.execute(Q["put_plan"], columns)


def allocate(
    conn: Conn, starting: Sequence[Placement], line: Mapping[uuid.UUID, Row], max_preparing: dt.timedelta
) -> list[Row]:
    """Give requests their slots, each all or none; return the rows of those that got them.

    `line` has the row of each. One that the tables say otherwise of by now stays in line.
    """
    chosen = _choose(conn, starting, line)
    moved = _move(conn, [placed for placed in starting if placed.reservation_id in chosen], max_preparing)
    held = [(row["id"], *slot) for row in moved for slot in chosen[row["id"]]]
    names = ("ids", "backends", "nodes", "gpu_types", "indices")
    conn.execute(Q["hold_slots"], {name: [slot[column] for slot in held] for column, name in enumerate(names)})
    return moved


def _choose(conn: Conn, starting: Sequence[Placement], line: Mapping[uuid.UUID, Row]) -> dict[uuid.UUID, list[_Slot]]:
    """Lock the free slots of the places, and return which of them each request gets: the lowest of each of its nodes."""
    wanted = {
        placed.reservation_id: [
            (placed.backend, node, line[placed.reservation_id]["gpu_type"]) for node in placed.everywhere
        ]
        for placed in starting
    }
    places = list(dict.fromkeys(place for all_of_it in wanted.values() for place in all_of_it))
    names = ("backends", "nodes", "gpu_types")
    columns = {name: [place[column] for place in places] for column, name in enumerate(names)}
    free: dict[_Place, list[int]] = defaultdict(list)
    for slot in conn.execute(Q["free_slots"], columns):
        free[slot["backend"], slot["node"], slot["gpu_type"]].append(slot["idx"])
    chosen: dict[uuid.UUID, list[_Slot]] = {}
    for reservation_id, all_of_it in wanted.items():
        count = line[reservation_id]["slots_needed"]
        if all(len(free[place]) >= count for place in all_of_it):
            chosen[reservation_id] = [(*place, index) for place in all_of_it for index in free[place][:count]]
            free.update((place, free[place][count:]) for place in all_of_it)
    return chosen


def _move(conn: Conn, placed: Sequence[Placement], max_preparing: dt.timedelta) -> list[Row]:
    columns = {
        "ids": [one.reservation_id for one in placed],
        "backends": [one.backend for one in placed],
        "nodes": [one.node for one in placed],
    }
    return conn.execute(Q["allocate"], columns | {"max_preparing": max_preparing}).fetchall()


def settle(conn: Conn) -> None:
    """Check now what is else checked at commit, so that the commit holds up nobody who waits for this transaction."""
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")


def find_claim(conn: Conn, backend: str, *, lock: bool = False) -> Row | None:
    """Return our side of a backend's claim, or None."""
    if lock:
        conn.execute("SELECT pg_advisory_xact_lock(7205760)")
    return conn.execute(Q["claim"], {"backend": backend}).fetchone()


def put_claim(conn: Conn, backend: str, control_plane_id: uuid.UUID, epoch: int) -> None:
    """Write our side of a backend's claim, unpaused."""
    fields = {"backend": backend, "control_plane_id": control_plane_id, "epoch": epoch}
    conn.execute(Q["put_claim"], fields)
