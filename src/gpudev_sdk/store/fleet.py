"""The fleet family of tables: types, nodes, slots, claims, and the planner's own."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import attrs
from psycopg.types.json import Jsonb

from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.domain.plan import Plan
from gpudev_sdk.store.rows import Conn, Row, gpu_type_from_json, gpu_type_to_json
from gpudev_sdk.store.sql import queries

Q = queries("fleet")


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
    return [(row["backend"], gpu_type_from_json(row["spec"])) for row in conn.execute(Q["list_types"])]


def gpu_type(conn: Conn, backend: str | None, name: str) -> GpuType | None:
    """Return one type of one backend, or None."""
    return next((kind for place, kind in catalogue(conn) if place == backend and kind.name == name), None)


def note_inventory(conn: Conn, backend: str, kinds: Sequence[GpuType], nodes: Sequence[Node]) -> bool:
    """Write what a backend has; return whether anything changed."""
    changed = 0
    for kind in kinds:
        spec = Jsonb(gpu_type_to_json(kind))
        changed += conn.execute(Q["put_type"], {"backend": backend, "name": kind.name, "spec": spec}).rowcount
    names = {"backend": backend, "names": [kind.name for kind in kinds]}
    changed += conn.execute(Q["drop_types"], names).rowcount
    for node in nodes:
        fields = attrs.asdict(node, recurse=False)
        changed += conn.execute(Q["put_node"], fields | {"backend": backend}).rowcount
    changed += conn.execute(Q["lose_nodes"], {"backend": backend, "names": [node.name for node in nodes]}).rowcount
    changed += _note_slots(conn, backend, nodes)
    conn.execute(Q["put_inventory"], {"backend": backend, "trouble": None})
    return changed > 0


def _note_slots(conn: Conn, backend: str, nodes: Sequence[Node]) -> int:
    changed, seen = 0, []
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
    """Replace the plan by a new one, without those that just started."""
    waiting = [placed for placed in plan.placements if placed.reservation_id not in started]
    conn.execute(Q["clear_plan"], {"ids": [placed.reservation_id for placed in waiting]})
    with conn.cursor() as cursor:
        cursor.executemany(Q["put_plan"], [attrs.asdict(placed) for placed in waiting])


def find_claim(conn: Conn, backend: str, *, lock: bool = False) -> Row | None:
    """Return our side of a backend's claim, or None."""
    if lock:
        conn.execute("SELECT pg_advisory_xact_lock(7205760)")
    return conn.execute(Q["claim"], {"backend": backend}).fetchone()


def put_claim(conn: Conn, backend: str, control_plane_id: uuid.UUID, epoch: int) -> None:
    """Write our side of a backend's claim, unpaused."""
    fields = {"backend": backend, "control_plane_id": control_plane_id, "epoch": epoch}
    conn.execute(Q["put_claim"], fields)
