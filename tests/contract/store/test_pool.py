"""Transactions are whole or undone, bounded in time, and say Unavailable when the database is away; the pool recovers."""

from __future__ import annotations

import os
import signal
import threading
import time

import psycopg
import pytest

from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.pool import Store, session_dsn
from tests.fix_database import KILLABLE


def count(store):
    with store.transaction() as conn:
        return conn.execute("SELECT count(*) AS n FROM used_nonce").fetchone()["n"]


def add(conn, number):
    conn.execute("INSERT INTO used_nonce (hash, expires_at) VALUES (%s, now())", (bytes([number]),))


def test_work_is_kept_when_the_block_ends(api_store):
    with api_store.transaction() as conn:
        add(conn, 1)
    assert count(api_store) == 1


def test_work_is_undone_when_the_block_raises(api_store):
    with pytest.raises(KeyError), api_store.transaction() as conn:
        add(conn, 1)
        raise KeyError
    assert count(api_store) == 0


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("transaction_isolation", "read committed"),
        ("timezone", "UTC"),
    ],
)
def test_every_connection_has_the_sessions_settings(store, setting, value):
    with store.transaction() as conn:
        assert conn.execute(f"SHOW {setting}").fetchone()[setting.replace("timezone", "TimeZone")] == value


def test_options_of_the_given_dsn_are_kept():
    assert "-c lock_timeout=5s" in session_dsn("options='-c work_mem=1MB'")
    assert session_dsn("options='-c work_mem=1MB'").count("work_mem=1MB") == 1


def test_a_violated_constraint_is_a_fault_of_ours_and_stays_what_it_is(api_store):
    with pytest.raises(psycopg.errors.UniqueViolation), api_store.transaction() as conn:
        add(conn, 1)
        add(conn, 1)


def test_a_missing_right_is_a_fault_of_ours_and_stays_what_it_is(store):
    with pytest.raises(psycopg.errors.InsufficientPrivilege), store.transaction() as conn:
        conn.execute("DELETE FROM reservation")


def test_a_statement_that_takes_too_long_is_unavailable(store):
    with pytest.raises(Unavailable), store.transaction() as conn:
        conn.execute("SET LOCAL statement_timeout = '50ms'")
        conn.execute("SELECT pg_sleep(5)")


def test_a_lock_that_is_not_to_be_had_is_unavailable(store):
    with store.transaction() as holder:
        holder.execute("UPDATE planner SET wanted = wanted")
        with pytest.raises(Unavailable), store.transaction() as conn:
            conn.execute("SET LOCAL lock_timeout = '50ms'")
            conn.execute("UPDATE planner SET wanted = wanted")


def test_a_deadlock_is_unavailable_for_one_and_goes_on_for_the_other(store):
    meet = threading.Barrier(2)
    outcomes = []

    def cross(first, second):
        try:
            with store.transaction() as conn:
                conn.execute(f"UPDATE {first} SET sole = sole")
                meet.wait(10)
                conn.execute(f"UPDATE {second} SET sole = sole")
            outcomes.append("done")
        except Unavailable:
            outcomes.append("unavailable")

    pairs = [("planner", "served"), ("served", "planner")]
    threads = [threading.Thread(target=cross, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "unavailable"]


def test_a_full_disk_is_unavailable(store):
    with pytest.raises(Unavailable), store.transaction() as conn:
        conn.execute("DO $$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$")


def test_a_pool_whose_connections_are_all_in_use_is_unavailable_in_time(database):
    store = Store(database.dsn(), max_size=1)
    store.open()
    try:
        with store.transaction():
            began = time.monotonic()
            with pytest.raises(Unavailable), store.transaction():
                pass
            assert time.monotonic() - began < 5
    finally:
        store.close()


def test_a_server_that_is_nowhere_is_unavailable_in_time(tmp_path):
    store = Store(f"host={tmp_path} dbname=none")
    store.open()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable), store.transaction():
            pass
        assert time.monotonic() - began < 5
    finally:
        store.close()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server that may be killed."""
    embedded = Embedded(tmp_path_factory.mktemp("own"), settings=KILLABLE, ballast_bytes=1024)
    embedded.start()
    embedded.migrate()
    yield embedded
    embedded.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT], ids=lambda number: number.name)
def test_the_store_recovers_by_itself_when_the_server_is_killed_under_load(own, number):
    store = Store(own.dsn(roles.API), max_size=4)
    store.open()
    stop, kept, troubles = threading.Event(), [], []

    def load(start):
        for value in range(start, start + 250_000):
            if stop.is_set():
                return
            try:
                with store.transaction() as conn:
                    name = f"{number}-{value}".encode()
                    conn.execute("INSERT INTO used_nonce (hash, expires_at) VALUES (%s, now())", (name,))
                kept.append(name)
            except Unavailable as error:
                troubles.append(error)

    threads = [threading.Thread(target=load, args=(start * 1_000_000,)) for start in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(kept) > 20)
        died = own.pid
        os.kill(died, number)
        wait_until(lambda: own.pid not in (None, died))
        before = len(kept)
        wait_until(lambda: len(kept) > before + 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with store.transaction() as conn:
        there = {bytes(row["hash"]) for row in conn.execute("SELECT hash FROM used_nonce")}
    store.close()
    assert set(kept) <= there, "what was acknowledged is kept"


def wait_until(done, seconds=20):
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)
