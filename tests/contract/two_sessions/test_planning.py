"""The planner beside everybody else: one place for each, the order of the line, and no wish that is lost."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import disk_edits, edits
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import bell
from tests.fix_engine import HOUR
from tests.memory_backend import MemoryCompute


def test_two_planners_give_each_slot_once_and_keep_the_order(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim, gpus=gpus) for gpus in (6, 4, 2)]
        return bench.plan, bench.plan

    def law(one, other):
        assert one + other == 2
        assert [bench.row(row).state for row in asked] == [State.PREPARING, State.QUEUED, State.PREPARING]

    assert set(theatre.in_every_order(arrange, law)) == {("2", "0"), ("0", "2")}


def test_two_planners_give_a_gang_all_its_nodes_once(theatre):
    bench, asked = theatre.bench, []
    bench.memory.boxes = 3
    Inventory(bench.engine).take()
    theatre.keep()

    def arrange():
        asked[:] = [bench.submit(theatre.kim, gpus=8, nodes=2), bench.submit(theatre.kim, gpus=8, nodes=2)]
        asked.append(bench.submit(theatre.lee, gpus=4))
        return bench.plan, bench.plan

    def law(one, other):
        assert one + other == 2
        assert [bench.row(row).state for row in asked] == [State.PREPARING, State.QUEUED, State.PREPARING]
        assert [(peer.node, len(peer.slots)) for peer in bench.row(asked[0]).peers] == [("box", 8), ("box-2", 8)]
        assert bench.row(asked[2]).node == "box-3"

    assert set(theatre.in_every_order(arrange, law)) == {("2", "0"), ("0", "2")}


def test_a_gang_of_which_a_slot_went_while_it_was_planned_gets_none(theatre):
    """What is outside takes a slot of one node between the plan and the allocation."""
    bench, asked = theatre.bench, []
    bench.memory.boxes = 2
    Inventory(bench.engine).take()
    theatre.keep()

    def occupy():
        with bench.engine.store.transaction() as conn:
            conn.execute(
                "UPDATE gpu_slot SET busy_outside = 'sam, 4711' WHERE node = 'box-2' AND gpu_type = 'h100' AND idx = 3"
            )
            bell.want_plan(conn)
        return "busy"

    def arrange():
        asked[:] = [bench.submit(theatre.kim, gpus=8, nodes=2)]
        return bench.plan, occupy

    def law(started, busy):
        held = bench.sql("SELECT count(*) AS n FROM gpu_slot WHERE reservation_id IS NOT NULL")[0]["n"]
        assert (int(started), held) in ((1, 16), (0, 0))

    assert set(theatre.in_every_order(arrange, law)) == {("1", "busy"), ("0", "busy")}


def test_what_is_cancelled_while_it_is_placed_either_waits_or_stops_but_keeps_no_place(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim, gpus=8)]
        return bench.plan, lambda: theatre.api.cancel(theatre.kim, asked[0]) and "cancelled"

    def law(started, cancelled):
        assert cancelled == "cancelled"
        row = bench.row(asked[0])
        assert row.cancel_requested_at is not None
        assert row.state is (State.PREPARING if started else State.QUEUED)
        theatre.until(asked[0], State.ENDED)
        assert bench.row(asked[0]).end_reason == "cancelled"
        assert bench.memory.launches == []

    assert set(theatre.in_every_order(arrange, law)) == {("1", "cancelled"), ("0", "cancelled")}


def test_a_request_made_while_the_planner_runs_is_planned_at_the_latest_by_the_next_run(theatre):
    bench = theatre.bench

    def arrange():
        bench.submit(theatre.kim, gpus=6)
        return bench.plan, lambda: theatre.api.submit(theatre.lee, gpus=2) and "accepted"

    def law(started, accepted):
        assert accepted == "accepted"
        assert started + bench.plan() == 2

    assert set(theatre.in_every_order(arrange, law)) == {("1", "accepted"), ("2", "accepted")}


def test_slots_freed_while_the_planner_runs_are_given_out_at_the_latest_by_the_next_run(theatre):
    bench = theatre.bench
    first = bench.submit(theatre.kim, gpus=8, disk="work")
    theatre.until(first, State.ACTIVE)
    # Its disk keeps it from ending for long after its slots are free.
    bench.memory.snapshot_state = SnapshotState.PENDING
    theatre.keep()

    def arrange():
        bench.submit(theatre.lee, gpus=8)
        theatre.api.cancel(theatre.kim, first)
        return theatre.handling("reservation", first), bench.plan

    def law(worked, started):
        assert worked == "done"
        assert bench.row(first).state is State.STOPPING
        assert started + bench.plan() == 1

    outcomes = theatre.in_every_order(arrange, law, coarse=True)
    assert set(outcomes) == {("done", "0"), ("done", "1")}


@attrs.define
class Shrinking(MemoryCompute):
    """Two of its GPUs are gone, the rest is there in another order."""

    memory: object = None

    def nodes(self):
        """Say so."""
        node = super().nodes()[0]
        return (attrs.evolve(node, slots=tuple(slot for slot in node.slots if slot.index not in (0, 7))),)


def looking(bench):
    """Return the work of one look at the backend."""

    def look():
        Inventory(bench.engine).take()
        return "seen"

    return look


def test_a_slot_that_vanishes_while_the_planner_runs_is_given_to_nobody_later(theatre):
    bench, asked = theatre.bench, []
    bench.engine.backends["mem"] = attrs.evolve(bench.engine.backends["mem"], compute=Shrinking(bench.memory))

    def arrange():
        asked[:] = [bench.submit(theatre.kim, gpu_type="cpu", gpus=0), bench.submit(theatre.kim, gpus=7)]
        return bench.plan, looking(bench)

    def law(started, seen):
        assert seen == "seen"
        started += bench.plan()
        held = bench.row(asked[1]).slots
        assert (len(held), started) in ((7, 2), (0, 1))

    assert set(theatre.in_every_order(arrange, law)) == {("2", "seen"), ("1", "seen")}


@pytest.mark.parametrize("compute", [MemoryCompute, Shrinking])
def test_slots_are_freed_while_the_backend_is_looked_at(theatre, compute):
    bench = theatre.bench
    bench.engine.backends["mem"] = attrs.evolve(bench.engine.backends["mem"], compute=compute(bench.memory))

    def arrange():
        held = bench.submit(theatre.kim, gpus=8)
        bench.plan()
        # The first slot now lies last in its table, so that whoever reads that from the start meets it last.
        for again in ("CREATE TEMP TABLE first AS SELECT * FROM gpu_slot WHERE idx = 0", "DELETE FROM gpu_slot WHERE idx = 0",
                      "INSERT INTO gpu_slot SELECT * FROM first", "DROP TABLE first"):  # fmt: skip
            theatre.probe.execute(again)
        theatre.api.cancel(theatre.kim, held)
        return theatre.handling("reservation", held), looking(bench)

    def law(worked, seen):
        assert (worked, seen) == ("done", "seen")
        assert theatre.count("gpu_slot WHERE reservation_id IS NOT NULL") == 0

    theatre.in_every_order(arrange, law)


def test_a_disk_that_is_asked_for_is_not_deleted_under_the_planner(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim, disk="work")]
        return bench.plan, lambda: disk_edits.delete(theatre.api.engine, theatre.kim, "work")

    def law(started, deleted):
        assert (started, deleted) == (1, "Conflict")
        assert bench.disk(theatre.kim, "work")["deleted_at"] is None

    theatre.in_every_order(arrange, law)


def test_a_disk_that_is_let_go_is_taken_at_the_latest_by_the_next_run(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        first = bench.submit(theatre.kim, disk="work")
        bench.plan()
        theatre.api.cancel(theatre.kim, first)
        asked[:] = [bench.submit(theatre.kim, disk="work")]
        return theatre.handling("reservation", first), bench.plan

    def law(worked, started):
        assert worked == "done"
        assert started + bench.plan() == 1
        assert bench.row(asked[0]).state is State.PREPARING

    assert set(theatre.in_every_order(arrange, law, coarse=True)) == {("done", "0"), ("done", "1")}


def test_more_time_for_who_runs_while_the_planner_runs_is_planned_with(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        first = bench.submit(theatre.kim, gpus=8)
        bench.plan()
        asked[:] = [first, bench.submit(theatre.lee, gpus=8)]
        return (
            bench.plan,
            lambda: edits.extend(theatre.api.engine, theatre.kim, str(first), 3 * HOUR) and 1,
        )

    def law(started, extended):
        assert (started, extended) == (0, 1)
        bench.plan()
        planned = bench.sql("SELECT starts_at - gpudev_now() AS wait FROM plan")
        assert [row["wait"] > 4 * HOUR for row in planned] == [True]

    theatre.in_every_order(arrange, law)
