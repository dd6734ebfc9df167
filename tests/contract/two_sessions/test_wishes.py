"""A person's wish beside the processor's step: both are kept, or one of them is told; nothing is half done."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import Phase
from gpudev_sdk.engine import edits
from gpudev_sdk.errors import NoCapacity
from tests.contract.two_sessions.sessions import Session

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


@pytest.fixture
def nearly_up(theatre):
    """A box so far that one look makes it active; every scene begins with it."""
    bench = theatre.bench
    bench.memory.phase = Phase.STARTING
    row = bench.submit(theatre.kim)
    bench.plan()
    bench.processor.handle("reservation", row)
    bench.memory.phase = Phase.READY
    theatre.keep()
    return row


def history(bench, row):
    found = bench.sql("SELECT what FROM reservation_event WHERE reservation_id = %s ORDER BY number", row)
    return [entry["what"] for entry in found]


def test_after_a_cancel_nothing_becomes_active(theatre, nearly_up):
    bench = theatre.bench

    def arrange():
        return theatre.handling(
            "reservation", nearly_up
        ), lambda: theatre.api.cancel(theatre.kim, nearly_up) and "cancelled"

    def law(worked, cancelled):
        assert (worked, cancelled) == ("done", "cancelled")
        theatre.until(nearly_up, State.ENDED)
        row, past = bench.row(nearly_up), history(bench, nearly_up)
        assert (row.state, row.end_reason) == (State.ENDED, EndReason.CANCELLED)
        assert "to-active" not in past[past.index("cancel") :]
        theatre.ended.add("to-active" in past)

    theatre.in_every_order(arrange, law, coarse=True)
    assert theatre.ended == {True, False}


def test_a_second_cancel_changes_nothing(theatre):
    bench, asked = theatre.bench, []

    def cancel():
        return theatre.api.cancel(theatre.kim, asked[0]) and "cancelled"

    def arrange():
        asked[:] = [bench.submit(theatre.kim)]
        return cancel, cancel

    def law(*outcomes):
        assert outcomes == ("cancelled", "cancelled")
        assert history(bench, asked[0]) == ["submitted", "cancel"]

    theatre.in_every_order(arrange, law)


def extending(theatre, row):
    return lambda: edits.extend(theatre.api.engine, theatre.kim, str(row), HOUR) and "extended"


def test_who_is_granted_more_time_is_not_ended_for_the_old_one(theatre, nearly_up):
    bench = theatre.bench

    def arrange():
        theatre.until(nearly_up, State.ACTIVE)
        theatre.later(2 * HOUR)
        for _ in range(3):  # the notice is recorded, put into the box, and seen there
            bench.processor.handle("reservation", nearly_up)
        theatre.later(2 * HOUR + 4 * MINUTE)
        bench.sql("UPDATE served SET seconds = seconds + 240, updated_at = gpudev_now()")
        return theatre.handling("reservation", nearly_up), extending(theatre, nearly_up)

    def law(worked, extended):
        row = bench.row(nearly_up)
        assert worked == "done"
        if extended == "extended":
            assert (row.state, row.granted) == (State.ACTIVE, 3 * HOUR)
        else:
            assert (row.end_reason, row.granted) == (EndReason.EXPIRED, 2 * HOUR)

    outcomes = theatre.in_every_order(arrange, law, coarse=True)
    assert set(outcomes) == {("done", "extended"), ("done", "Conflict")}


def test_more_time_while_it_becomes_active_counts_from_its_start(theatre, nearly_up):
    bench = theatre.bench

    def arrange():
        return theatre.handling("reservation", nearly_up), extending(theatre, nearly_up)

    def law(worked, extended):
        assert (worked, extended) == ("done", "extended")
        theatre.until(nearly_up, State.ACTIVE)
        row = bench.row(nearly_up)
        assert row.expires_at - row.started_at == 3 * HOUR

    theatre.in_every_order(arrange, law, coarse=True)


def test_a_cancel_while_an_attempt_goes_back_into_the_line_ends_it(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim)]
        bench.plan()
        bench.memory.launch_errors[:] = [NoCapacity("no room")]
        return theatre.handling(
            "reservation", asked[0]
        ), lambda: theatre.api.cancel(theatre.kim, asked[0]) and "cancelled"

    def law(worked, cancelled):
        assert (worked, cancelled) == ("done", "cancelled")
        bench.work(asked[0])
        row = bench.row(asked[0])
        assert (row.state, row.end_reason) == (State.ENDED, EndReason.CANCELLED)

    theatre.in_every_order(arrange, law, coarse=True)


def test_two_processors_do_each_thing_once(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim)]
        bench.plan()
        return tuple(theatre.handling("reservation", asked[0], name) for name in ("one", "two"))

    def law(*outcomes):
        assert outcomes == ("done", "done")
        assert len(bench.memory.launches) == 1
        assert {entry["n"] for entry in bench.sql("SELECT count(*) AS n FROM reservation_event GROUP BY what")} == {1}

    theatre.in_every_order(arrange, law, coarse=True)


def test_a_processor_that_slept_past_its_lease_writes_nothing(theatre):
    bench, asked = theatre.bench, []

    def arrange():
        asked[:] = [bench.submit(theatre.kim)]
        bench.plan()
        late = theatre.handling("reservation", asked[0], "late")
        return theatre.handling("reservation", asked[0], "asleep"), Session(late, ahead=dt.timedelta(minutes=1))

    def law(*outcomes):
        assert outcomes == ("done", "done")
        assert len(bench.memory.launches) == 1
        assert {entry["n"] for entry in bench.sql("SELECT count(*) AS n FROM reservation_event GROUP BY what")} == {1}

    theatre.in_every_order(arrange, law, coarse=True)
