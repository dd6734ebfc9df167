"""A thousand in line: everyone is told their place and time, and the answers come from what the planner wrote."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from gpudev_sdk.domain.request import Request
from gpudev_sdk.engine import accounts, edits, show
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.engine.planning import ask, run_planner
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.store import fleet
from tests.load.crew import Crew
from tests.load.line import fill, owner_of, rows

WAITING = 1000


def told(engine):
    """Return what everyone in line is told, in the order of the line, and which transaction wrote it."""
    return rows(
        engine,
        "SELECT p.reservation_id, p.position, p.starts_at, p.backend, p.node, p.waiting_for, p.xmin::text AS written"
        " FROM reservation r LEFT JOIN plan p ON p.reservation_id = r.id"
        " WHERE r.state = 'queued' ORDER BY r.priority DESC, r.seq",
    )


def now_in_line(engine):
    """Return what a plan made now would tell everyone."""
    with engine.store.transaction() as conn:
        answer = plan(ask(fleet.read(conn), engine.limits))
    return [(placed.reservation_id, placed.position, placed.starts_at, placed.node) for placed in answer.placements]


@pytest.fixture
def full(engine, database):
    """An engine with every GPU in use, and a thousand or so in line."""
    fill(engine.store, WAITING)
    run_planner(engine, "test")
    with Crew(engine, database.dsn(), "crew", processors=2).working():
        deadline = time.monotonic() + 120
        while rows(engine, "SELECT FROM reservation WHERE state = 'preparing'"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    run_planner(engine, "test")
    return engine


def test_everyone_in_a_long_line_is_told_their_place_and_their_time(full):
    line = told(full)

    assert len(line) > 0.95 * WAITING
    assert [row["position"] for row in line] == list(range(1, len(line) + 1))
    assert all(row["starts_at"] is not None for row in line)
    assert [(row["reservation_id"], row["position"], row["starts_at"], row["node"]) for row in line] == now_in_line(
        full
    )


def test_who_comes_last_is_told_so(full):
    kim, before = accounts.add_user(full, "kim", None), len(told(full))
    request = Request(gpu_type="h100", gpus=8, duration=dt.timedelta(hours=2))
    made = submit(full, kim, Submission(request=request, idempotency_key="k"))
    assert show.show(full, made).position is None

    run_planner(full, "test")
    seen = show.show(full, made)

    assert seen.position == before + 1
    assert seen.starts_at == told(full)[-1]["starts_at"]


def test_a_plan_that_stays_the_same_is_not_written_again(full):
    before = told(full)
    with full.store.transaction() as conn:
        conn.execute("UPDATE planner SET wanted = wanted + 1")

    run_planner(full, "test")

    assert told(full) == before


def test_when_the_first_gives_up_everyone_moves_one_place_up(full):
    first, *others = told(full)
    edits.cancel(full, owner_of(full, first["reservation_id"]), str(first["reservation_id"]))

    run_planner(full, "test")

    after = rows(full, "SELECT reservation_id, position FROM plan ORDER BY position")
    assert [row["reservation_id"] for row in after] == [row["reservation_id"] for row in others]
    assert [row["position"] for row in after] == list(range(1, len(others) + 1))
