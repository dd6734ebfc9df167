"""Runs the planner over the tables: reads the fleet, asks for a plan, allocates what starts now, and tells everyone else.

One planner at a time by an advisory lock; the lock is taken in a statement of its own, so that the reads that follow see what
the last planner did. Its inputs are tables, never provider calls.
"""

from __future__ import annotations

import datetime as dt
import uuid

from gpudev_sdk import fault
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.plan import Bin, Holding, Placement, Plan, Question, Waiting
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.store import bell, disks, fleet
from gpudev_sdk.store.reservations import Entry, add_event
from gpudev_sdk.store.rows import Conn, Row

#: Allocations in one transaction; the rest follow in the next.
BATCH = 200


def run_planner(engine: Engine, actor: str) -> int:
    """Plan until the newest wish is planned; return how many reservations got their place."""
    started = 0
    while True:
        with engine.store.transaction("plan") as conn:
            conn.execute(fleet.Q["planner_lock"])
            counter = conn.execute(fleet.Q["planner"]).fetchone()
            assert counter is not None  # inserted by the migration
            overdue = counter["wake_at"] is not None and counter["wake_at"] <= counter["now"]
            if counter["planned"] >= counter["wanted"] and not overdue:
                return started
            fault.point("plan-locked")
            done = _plan_once(conn, engine.limits, actor, counter["wanted"])
        started += done


def next_plan(engine: Engine) -> float | None:
    """Return in how many seconds the clock alone would change the plan, or None."""
    with engine.store.transaction() as conn:
        counter = conn.execute(fleet.Q["planner"]).fetchone()
    assert counter is not None  # inserted by the migration
    if counter["wake_at"] is None:
        return None
    return max(0.0, float((counter["wake_at"] - counter["now"]).total_seconds()))


def _plan_once(conn: Conn, limits: Limits, actor: str, wanted: int) -> int:
    seen = fleet.read(conn)
    question = ask(seen, limits)
    answer = plan(question)
    starting = answer.starting
    began = [placed for placed in starting[:BATCH] if _allocate(conn, seen, placed, limits, actor)]
    fleet.write_plan(conn, answer, {placed.reservation_id for placed in began})
    left_over = len(starting) > BATCH
    wake_at = _next_moment(answer, question)
    conn.execute(fleet.Q["planned"], {"wanted": wanted - 1 if left_over else wanted, "wake_at": wake_at})
    return len(began)


def _next_moment(answer: Plan, question: Question) -> dt.datetime | None:
    """Return when the clock alone would change the plan."""
    starts = [
        placed.starts_at
        for placed in answer.placements
        if placed.starts_at is not None and placed.starts_at > question.now
    ]
    return min(starts, default=None)


def ask(seen: fleet.Fleet, limits: Limits) -> Question:
    """Turn the tables into the planner's question."""
    return Question(
        now=seen.now,
        bins=tuple(
            Bin(backend=row["backend"], node=row["node"], gpu_type=row["gpu_type"], usable=row["usable"])
            for row in seen.bins
        ),
        holdings=tuple(_holding(row, seen.now, limits) for row in seen.holders if row["gone_at"] is None),
        waiting=tuple(waiting_of(row, limits) for row in seen.line if row["cancel_requested_at"] is None),
        taken=_taken(seen, limits),
    )


def free_again(row: Row, now: dt.datetime, limits: Limits) -> dt.datetime | None:
    """Return when a holder's slots are free again, or None if that is not known."""
    if row["needs_attention"] is not None:
        return None
    if row["state"] == "stopping":
        stopped: dt.datetime = row["state_since"] + limits.stop_allowance
        return max(now, stopped)
    end = row["expires_at"] or now + row["granted"]
    moment: dt.datetime = end + limits.grace + limits.stop_allowance
    return moment


def _holding(row: Row, now: dt.datetime, limits: Limits) -> Holding:
    return Holding(
        backend=row["backend"],
        node=row["node"],
        gpu_type=row["gpu_type"],
        slots=row["slots_needed"],
        until=free_again(row, now, limits),
    )


def waiting_of(row: Row, limits: Limits) -> Waiting:
    """Turn a row of the line into what the planner places."""
    things = {_name_thing(row["owner_id"], row["name"])}
    if row["disk_id"] is not None:
        things.add(f"disk:{row['disk_id']}")
    if row["retry_at"] is not None:
        things.add(f"retry:{row['id']}")
    return Waiting(
        reservation_id=row["id"],
        gpu_type=row["gpu_type"],
        slots=row["slots_needed"],
        lasts=row["granted"] + limits.grace + limits.stop_allowance,
        priority=row["priority"],
        seq=row["seq"],
        backend=row["disk_backend"] or row["backend"],
        node=row["disk_node"],
        exclusive=frozenset(things),
    )


def _name_thing(owner_id: uuid.UUID, name: str) -> str:
    return f"name:{owner_id}/{name}"


def _taken(seen: fleet.Fleet, limits: Limits) -> dict[str, dt.datetime | None]:
    taken: dict[str, dt.datetime | None] = {}
    for row in seen.holders:
        until = free_again(row, seen.now, limits)
        if row["state"] != "stopping":
            taken[_name_thing(row["owner_id"], row["name"])] = until
        if row["disk_id"] is not None and seen.held_disks.get(row["disk_id"]) == row["id"]:
            taken[f"disk:{row['disk_id']}"] = until
    for row in seen.line:
        if row["retry_at"] is not None and row["retry_at"] > seen.now:
            taken[f"retry:{row['id']}"] = row["retry_at"]
    return taken


def _allocate(conn: Conn, seen: fleet.Fleet, placed: Placement, limits: Limits, actor: str) -> bool:
    """Give a request its slots and its disk, all or nothing; leave it in line if the tables say otherwise by now."""
    row = next(row for row in seen.line if row["id"] == placed.reservation_id)
    place = {"backend": placed.backend, "node": placed.node, "gpu_type": row["gpu_type"]}
    free = conn.execute(fleet.Q["free_slots"], place | {"count": row["slots_needed"]}).fetchall()
    if len(free) < row["slots_needed"]:
        return False
    moved = conn.execute(
        fleet.Q["allocate"],
        {"id": row["id"], "backend": placed.backend, "node": placed.node, "max_preparing": limits.max_preparing},
    ).fetchone()
    if moved is None:
        return False
    conn.execute(fleet.Q["hold_slots"], place | {"id": row["id"], "indices": [slot["idx"] for slot in free]})
    if row["disk_id"] is not None:
        lease = {"disk_id": row["disk_id"], "reservation_id": row["id"], "attempt": moved["attempt"]}
        conn.execute(disks.Q["take_disk"], lease)
    detail = f"{placed.backend}/{placed.node}"
    add_event(
        conn,
        row["id"],
        moved["generation"],
        ("queued", "preparing"),
        Entry(what="to-preparing", actor=actor, detail=detail),
    )
    bell.ring_work(conn, "reservation", row["id"])
    return True
