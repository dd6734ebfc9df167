"""The bell is heard: at once, by everyone, and again after the database was away."""

from __future__ import annotations

import queue
import threading
import time
import uuid

import psycopg
import pytest

from gpudev_sdk.store import bell
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from gpudev_sdk.store.listener import Listener


@pytest.fixture
def heard():
    return queue.Queue()


@pytest.fixture
def connects():
    return queue.Queue()


@pytest.fixture
def listener(database, heard, connects):
    made = Listener(database.dsn("gpudev_engine"), heard.put, lambda: connects.put(True))
    made.start()
    connects.get(timeout=10)
    yield made
    made.stop()


def test_a_ring_arrives_when_its_transaction_commits(listener, store, heard):
    row = uuid.uuid4()
    with store.transaction() as conn:
        bell.ring(conn, "reservation", row)
        assert heard.empty()
    assert heard.get(timeout=10) == bell.Ring("reservation", row)


def test_a_ring_of_a_transaction_that_fails_is_never_heard(listener, store, heard):
    with pytest.raises(ZeroDivisionError), store.transaction() as conn:
        bell.ring(conn, "plan")
        raise ZeroDivisionError
    with store.transaction() as conn:
        bell.ring(conn, "access")
    assert heard.get(timeout=10) == bell.Ring("access")


def test_a_notice_that_is_not_ours_is_passed_over(listener, store, heard):
    with store.transaction() as conn:
        conn.execute("SELECT pg_notify(%s, 'rubbish')", (bell.CHANNEL,))
        bell.ring(conn, "plan")
    assert heard.get(timeout=10) == bell.Ring("plan")


def test_it_connects_again_and_says_so(listener, database, store, heard, connects):
    with psycopg.connect(database.embedded.dsn(SUPERUSER, "postgres"), autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN%%'",
            (database.name,),
        )
    connects.get(timeout=10)
    with store.transaction() as conn:
        bell.ring(conn, "plan")
    assert heard.get(timeout=10) == bell.Ring("plan")


def test_it_stops_within_a_second(database, heard, connects):
    made = Listener(database.dsn("gpudev_engine"), heard.put, lambda: connects.put(True))
    made.start()
    connects.get(timeout=10)
    began = time.monotonic()
    made.stop()
    assert time.monotonic() - began < 1.0
    assert "listener" not in {thread.name for thread in threading.enumerate()}


def test_it_stops_while_the_database_is_away(tmp_path, heard, connects):
    made = Listener(f"host={tmp_path} dbname=none", heard.put, lambda: connects.put(True))
    made.start()
    began = time.monotonic()
    made.stop()
    assert time.monotonic() - began < 1.0
    assert connects.empty()
