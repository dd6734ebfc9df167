"""Runs the planner over the tables: reads the fleet, asks for a plan, allocates what starts now, and tells everyone else.

One planner at a time by an advisory lock; the lock is taken in a statement of its own, so that the reads that follow see what
the last planner did. Its inputs are tables, never provider calls.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

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


def run_planner(engine: Engine, actor: str, planner: Callable[[Question], Plan] = plan) -> int:
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
            done = _plan_once(conn, engine.limits, actor, counter["wanted"], planner)
        started += done


def next_plan(engine: Engine) -> float | None:
    """Return in how many seconds the clock alone would change the plan, or None."""
    with engine.store.transaction() as conn:
        counter = conn.execute(fleet.Q["planner"]).fetchone()
    assert counter is not None  # inserted by the migration
    if counter["wake_at"] is None:
        return None
    return max(0.0, float((counter["wake_at"] - counter["now"]).total_seconds()))


def _plan_once(conn: Conn, limits: Limits, actor: str, wanted: int, planner: Callable[[Question], Plan]) -> int:
    seen, away = fleet.read(conn), find_away(conn)
    question = ask(seen, limits, away)
    answer = _naming_away(planner(question), question, away)
    starting = answer.starting
    began = _allocate(conn, seen, starting[:BATCH], limits, actor)
    fleet.write_plan(conn, answer, began)
    left_over = len(starting) > BATCH
    wake_at = _next_moment(answer, question)
    fleet.settle(conn)
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


def find_away(conn: Conn) -> dict[str, str]:
    """Return why backends cannot be seen now, by name; those that can are left out."""
    return {row["backend"]: row["trouble"] for row in conn.execute(fleet.Q["away"])}


def say_away(backend: str | None, away: Mapping[str, str]) -> str:
    """Say in words that a backend is away; nothing of one that is not."""
    if backend is None or backend not in away:
        return ""
    return f"{backend} takes nothing new, as it cannot be seen now: {away[backend]}"


def _naming_away(answer: Plan, question: Question, away: Mapping[str, str]) -> Plan:
    """Tell those who wait for a backend that is away that it is, and not that it has no such node."""
    tied = {waiting.reservation_id: say_away(waiting.backend, away) for waiting in question.waiting}
    placements = tuple(
        attrs.evolve(placed, waiting_for=tied[placed.reservation_id] or placed.waiting_for)
        if placed.starts_at is None
        else placed
        for placed in answer.placements
    )
    return attrs.evolve(answer, placements=placements) if away else answer


def ask(seen: fleet.Fleet, limits: Limits, away: Collection[str] = ()) -> Question:
    """Turn the tables into the planner's question. What is away takes nothing new, and what it holds stays held there."""
    return Question(
        now=seen.now,
        bins=tuple(
            Bin(
                backend=row["backend"],
                node=row["node"],
                gpu_type=row["gpu_type"],
                usable=row["usable"],
                zone=row["zone"],
                total=row["total"],
                volumes=row["volumes"],
            )
            for row in seen.bins
            if row["backend"] not in away
        ),
        holdings=tuple(held for row in seen.holders for held in _holdings(row, seen, limits)),
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


def _holdings(row: Row, seen: fleet.Fleet, limits: Limits) -> list[Holding]:
    """Return what a holder holds, one a node: its slots until it is gone, and its volume until that is known to be detached."""
    until = free_again(row, seen.now, limits)
    slots = row["slots_needed"] if row["gone_at"] is None else 0
    attached = row["detached_at"] is None and _has_disk(row, seen)
    held = [
        Holding(
            backend=row["backend"],
            node=node,
            gpu_type=row["gpu_type"],
            slots=slots,
            until=until,
            volume=attached and node == row["node"],
        )
        for node in row["gang"] or (row["node"],)
    ]
    return [one for one in held if one.slots or one.volume]


def _has_disk(row: Row, seen: fleet.Fleet) -> bool:
    return row["disk_id"] is not None and seen.held_disks.get(row["disk_id"]) == row["id"]


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
        zone=row["disk_zone"],
        nodes=row["nodes"],
        volume=row["disk_id"] is not None,
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
        if _has_disk(row, seen):
            taken[f"disk:{row['disk_id']}"] = until
    for row in seen.line:
        if row["retry_at"] is not None and row["retry_at"] > seen.now:
            taken[f"retry:{row['id']}"] = row["retry_at"]
    return taken


def _allocate(
    conn: Conn, seen: fleet.Fleet, starting: Sequence[Placement], limits: Limits, actor: str
) -> set[uuid.UUID]:
    """Give requests their slots and disks, each all or nothing; leave those in line of which the tables say otherwise by now."""
    if not starting:
        return set()
    line = {row["id"]: row for row in seen.line}
    moved = fleet.allocate(conn, starting, line, limits.max_preparing)
    nodes = {placed.reservation_id: ", ".join(map(str, placed.everywhere)) for placed in starting}
    for row in moved:
        if row["disk_id"] is not None:
            lease = {"disk_id": row["disk_id"], "reservation_id": row["id"], "attempt": row["attempt"]}
            conn.execute(disks.Q["take_disk"], lease)
        entry = Entry(what="to-preparing", actor=actor, detail=f"{row['backend']}/{nodes[row['id']]}")
        add_event(conn, row["id"], row["generation"], ("queued", "preparing"), entry)
    bell.ring_work(conn, "reservation", *(row["id"] for row in moved))
    return {row["id"] for row in moved}
