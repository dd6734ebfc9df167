"""Any number of processors: leases keep them apart, and what a paused one would still write changes nothing."""

from __future__ import annotations

import threading

import pytest

from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.processor import LEASE, Processor
from gpudev_sdk.errors import LimitReached
from gpudev_sdk.store import reservations
from gpudev_sdk.store.reservations import Entry, Q, Stale, record


def take(bench, row_id, holder):
    with bench.engine.store.transaction() as conn:
        return conn.execute(Q["take_lease"], {"id": row_id, "holder": holder, "ttl": LEASE}).fetchone()


def test_only_one_of_two_gets_a_row(bench, kim):
    made = bench.submit(kim)
    assert take(bench, made, "one") is not None
    assert take(bench, made, "two") is None


def test_a_lease_that_ran_out_is_anothers_with_a_higher_epoch(bench, kim):
    made = bench.submit(kim)
    first = take(bench, made, "one")["lease_epoch"]
    bench.sql("UPDATE reservation SET lease_until = gpudev_now() - interval '1 s'")
    assert take(bench, made, "two")["lease_epoch"] == first + 1


def test_a_paused_processor_writes_nothing_when_it_wakes(bench, kim):
    made = bench.submit(kim)
    take(bench, made, "one")
    stale = bench.row(made)
    bench.sql("UPDATE reservation SET lease_until = gpudev_now() - interval '1 s'")
    take(bench, made, "two")

    with pytest.raises(Stale), bench.engine.store.transaction() as conn:
        record(conn, stale, {"detail": "late"}, Entry(what="late", actor="one"))
    assert bench.row(made).detail != "late"


def test_an_edit_meanwhile_makes_the_processors_write_stale(bench, kim):
    made = bench.submit(kim)
    take(bench, made, "one")
    seen = bench.row(made)
    bench.cancel(kim, made)
    with pytest.raises(Stale), bench.engine.store.transaction() as conn:
        record(conn, seen, {"detail": "late"}, Entry(what="late", actor="one"))


def test_many_processors_and_planners_hold_no_slot_twice_and_keep_the_order(bench, kim, lee):
    asked = [bench.submit((kim, lee)[n % 2], gpus=1 + n % 3) for n in range(30)]
    stop = threading.Event()

    def work(number):
        processor = Processor(bench.engine, bench.claims, Alarm(), f"w{number}")
        while not stop.is_set():
            bench.plan()
            if not processor.work_once():
                stop.wait(0.05)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for row_id in asked:
        user = kim if bench.row(row_id).owner == "kim" else lee
        for _ in range(600):
            if bench.row(row_id).state is State.ACTIVE:
                break
            stop.wait(0.05)
        assert bench.row(row_id).state is State.ACTIVE
        bench.cancel(user, row_id)
    stop.set()
    for worker in workers:
        worker.join()

    started = bench.sql(
        "SELECT r.seq FROM reservation_event e JOIN reservation r ON r.id = e.reservation_id"
        " WHERE e.what = 'to-preparing' ORDER BY e.number"
    )
    assert len(started) == 30
    assert len({spec.server_id for spec in bench.memory.launches}) == len(bench.memory.launches) == 30


def test_the_same_request_sent_by_many_at_once_is_one_reservation(bench, kim):
    made = []
    threads = [threading.Thread(target=lambda: made.append(bench.submit(kim, key="same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 8


def test_many_at_once_never_go_over_a_limit(bench, kim):
    limit = bench.engine.limits.max_reservations_per_user
    for _ in range(limit - 2):
        bench.submit(kim, gpus=8)
    refused = []

    def submit():
        try:
            bench.submit(kim, gpus=8)
        except LimitReached:
            refused.append("LimitReached")

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["LimitReached"] * 6
    with bench.engine.store.transaction() as conn:
        assert (
            reservations.scalar(conn.execute(Q["live_count"], {"owner_id": kim.id}).fetchone(), "reservations") == limit
        )
