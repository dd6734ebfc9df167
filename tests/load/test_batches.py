"""Many places given in one transaction: each as if it were alone, and one that cannot be had leaves the others theirs."""

from __future__ import annotations

import pytest

from gpudev_sdk.engine import edits
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.engine.planning import BATCH, run_planner
from gpudev_sdk.store import bell, pgmq
from tests.load.line import fill, owner_of, rows

NODES = 40


@pytest.fixture
def engine(make_engine):
    """An engine with 40 nodes of 8 GPUs."""
    return make_engine(nodes=NODES)


def holders(engine):
    """Return each holder and its slots."""
    found = rows(
        engine,
        "SELECT r.id, r.state, r.slots_needed, r.node, array_agg(s.node) AS nodes FROM reservation r"
        " LEFT JOIN gpu_slot s ON s.reservation_id = r.id GROUP BY r.id ORDER BY r.seq",
    )
    return {row["id"]: row for row in found if row["state"] == "preparing"}


def test_more_than_one_transaction_gives_out_all_start_in_the_order_of_the_line(engine):
    asked = fill(engine.store, 8 * NODES + 5, sizes=(1,))
    assert 8 * NODES > BATCH

    assert run_planner(engine, "test") == 8 * NODES

    held = holders(engine)
    assert list(held) == asked[: 8 * NODES]
    assert all(row["nodes"] == [row["node"]] for row in held.values())
    told = rows(engine, "SELECT reservation_id FROM plan ORDER BY position")
    assert [row["reservation_id"] for row in told] == asked[8 * NODES :]


def test_each_of_many_gets_exactly_the_slots_it_asked_for_and_one_ring(engine):
    fill(engine.store, 100)
    started = run_planner(engine, "test")

    held = holders(engine)
    assert len(held) == started > 20
    assert all(row["nodes"] == [row["node"]] * row["slots_needed"] for row in held.values())
    with engine.store.transaction() as conn:
        messages = pgmq.read(conn, bell.QUEUE, vt=60, qty=500)
    assert sorted(bell.parse_message(message.body).id for message in messages) == sorted(held)
    entries = rows(
        engine, "SELECT reservation_id, from_state, detail FROM reservation_event WHERE what = 'to-preparing'"
    )
    assert {(row["reservation_id"], row["from_state"], row["detail"]) for row in entries} == {
        (row["id"], "queued", f"lab/{row['node']}") for row in held.values()
    }


def test_who_gives_up_while_the_plan_is_made_stays_without_and_the_others_get_theirs(engine):
    asked = fill(engine.store, 20, sizes=(2,))
    leaver, wishes = asked[7], []

    def meanwhile(question):
        answer = plan(question)
        if not wishes:
            wishes.append(edits.cancel(engine, owner_of(engine, leaver), str(leaver)))
        return answer

    assert run_planner(engine, "test", meanwhile) == 19
    assert wishes == [leaver]
    assert list(holders(engine)) == [row_id for row_id in asked if row_id != leaver]


def test_a_gpu_that_somebody_takes_outside_while_the_plan_is_made_is_not_given(engine):
    asked, taken = fill(engine.store, NODES, sizes=(8,)), []

    def meanwhile(question):
        answer = plan(question)
        if not taken:
            taken.append(answer.starting[3])
            rows(
                engine,
                "UPDATE gpu_slot SET busy_outside = 'lee, 7' WHERE node = %s AND idx = 2 RETURNING idx",
                taken[0].node,
            )
        return answer

    assert run_planner(engine, "test", meanwhile) == NODES - 1
    left = set(asked) - set(holders(engine))
    assert left == {taken[0].reservation_id}
    assert rows(engine, "SELECT FROM gpu_slot WHERE node = %s AND reservation_id IS NOT NULL", taken[0].node) == []
