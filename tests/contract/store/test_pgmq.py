"""The queue: what is sent with a transaction is read once at a time, again after its time, and never after it was put away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gpudev_sdk.store import bell, pgmq


def sent(store, body):
    with store.transaction() as conn:
        return pgmq.send(conn, bell.QUEUE, body)


def test_a_message_is_read_as_it_was_sent(store, api_store):
    number = sent(api_store, {"kind": "reservation", "odd": "é\n"})
    with store.transaction() as conn:
        assert pgmq.read(conn, bell.QUEUE, vt=60, qty=5) == [
            pgmq.Message(id=number, body={"kind": "reservation", "odd": "é\n"}, read_count=1)
        ]


def test_a_message_that_is_being_worked_on_is_not_read_by_another(store):
    sent(store, {})
    with store.transaction() as conn:
        pgmq.read(conn, bell.QUEUE, vt=60, qty=1)
    with store.transaction() as conn:
        assert pgmq.read(conn, bell.QUEUE, vt=60, qty=1) == []


def test_a_message_whose_reader_died_is_read_again(store):
    number = sent(store, {})
    with store.transaction() as conn:
        pgmq.read(conn, bell.QUEUE, vt=0, qty=1)
    with store.transaction() as conn:
        again = pgmq.read(conn, bell.QUEUE, vt=0, qty=1)
    assert [(message.id, message.read_count) for message in again] == [(number, 2)]


def test_a_message_that_was_put_away_is_not_read_again_and_putting_it_away_twice_is_silent(store):
    number = sent(store, {})
    with store.transaction() as conn:
        pgmq.archive(conn, bell.QUEUE, number)
        pgmq.archive(conn, bell.QUEUE, number)
    with store.transaction() as conn:
        assert pgmq.read(conn, bell.QUEUE, vt=0, qty=1) == []


def test_a_message_of_a_transaction_that_failed_was_never_sent(store):
    with pytest.raises(KeyError), store.transaction() as conn:
        pgmq.send(conn, bell.QUEUE, {})
        raise KeyError
    with store.transaction() as conn:
        assert pgmq.read(conn, bell.QUEUE, vt=0, qty=1) == []


def test_a_message_that_is_no_object_has_no_body(store):
    with store.transaction() as conn:
        conn.execute("SELECT pgmq.send('work', '[1]'::jsonb)")
        assert [message.body for message in pgmq.read(conn, bell.QUEUE, vt=0, qty=1)] == [None]


def test_installing_again_changes_nothing(owner_store):
    with owner_store.transaction() as conn:
        pgmq.install(conn)
        pgmq.ensure_queue(conn, bell.QUEUE)
        assert conn.execute("SELECT count(*) AS n FROM pgmq.meta").fetchone()["n"] == 1


def test_the_version_that_was_installed_is_on_record(store):
    with store.transaction() as conn:
        row = conn.execute("SELECT version FROM schema_note WHERE what = 'pgmq'").fetchone()
    assert row["version"] == pgmq.VERSION


def test_the_client_of_pgmq_is_never_imported():
    code = "import sys, gpudev_sdk.store.migrate, gpudev_sdk.store.pgmq as p; p.sql_folder(); assert 'pgmq' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_was_put_away_long_ago_is_forgotten_the_oldest_first_and_the_rest_is_kept(store, owner_store):
    put_away = [sent(store, {"v": 1}) for _ in range(3)]
    with store.transaction() as conn:
        for message in put_away:
            pgmq.archive(conn, bell.QUEUE, message)
    with owner_store.transaction() as conn:
        for message, days in zip(put_away, (9, 8, 1), strict=True):
            conn.execute(
                "UPDATE pgmq.a_work SET archived_at = now() - make_interval(days => %s) WHERE msg_id = %s",
                (days, message),
            )

    with store.transaction() as conn:
        assert pgmq.forget(conn, bell.QUEUE, days=7, most=1) == 1
        assert pgmq.forget(conn, bell.QUEUE, days=7, most=10) == 1
        assert pgmq.forget(conn, bell.QUEUE, days=7, most=10) == 0
        assert [row["msg_id"] for row in conn.execute("SELECT msg_id FROM pgmq.a_work")] == [put_away[2]]
