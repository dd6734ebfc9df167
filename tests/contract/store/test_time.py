"""The one clock of the schema, on a real PostgreSQL."""

from __future__ import annotations

import datetime as dt


def test_time_is_that_of_the_statement_not_of_the_transaction(store):
    with store.transaction() as conn:
        first = conn.execute("SELECT gpudev_now() AS now").fetchone()["now"]
        conn.execute("SELECT pg_sleep(0.01)")
        second = conn.execute("SELECT gpudev_now() AS now").fetchone()["now"]
    assert second > first


def test_a_session_setting_replaces_the_time(store):
    then = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    with store.transaction() as conn:
        conn.execute("SELECT set_config('gpudev.now', %s, true)", (then.isoformat(),))
        assert conn.execute("SELECT gpudev_now() AS now").fetchone()["now"] == then
    with store.transaction() as conn:
        assert conn.execute("SELECT gpudev_now() AS now").fetchone()["now"] != then


def test_an_index_serves_the_rows_whose_time_has_come(store):
    with store.transaction() as conn:
        conn.execute("SET LOCAL enable_seqscan = off")
        plan = conn.execute("EXPLAIN SELECT id FROM disk WHERE wake_at <= gpudev_now()").fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "Index Cond: (wake_at <=" in text and "disk_wake" in text
