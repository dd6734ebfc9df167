"""A database that was put back from a dump, possibly into another server: what in it means nothing any more."""

from __future__ import annotations

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store.rows import Conn

NOTE = "restored"
#: A transaction id that is older than every one to come: ids of another server mean nothing in this one.
_CURSORS = """
UPDATE listener_cursor c SET xid = '3', number = COALESCE(
    (SELECT min(e.number) - 1 FROM reservation_event e WHERE (e.xid, e.number) > (c.xid, c.number)),
    (SELECT max(e.number) FROM reservation_event e), 0)
"""


def forget_transactions(conn: Conn) -> None:
    """Have every listener go on where it was, whatever numbers this server gives; as the owner of the tables."""
    there = conn.execute("SELECT to_regclass('public.listener_cursor') IS NOT NULL AS there").fetchone()
    if there is None or not there["there"]:
        return
    conn.execute(_CURSORS)
    # The history is append-only for everybody else.
    conn.execute("ALTER TABLE reservation_event DISABLE TRIGGER USER")
    conn.execute("UPDATE reservation_event SET xid = '3'")
    conn.execute("ALTER TABLE reservation_event ENABLE TRIGGER USER")


def is_noted(conn: Conn, word: str) -> bool:
    """Say whether this restore was seen to; raise StoreError for a database into which nothing was put back."""
    there = conn.execute("SELECT to_regclass('public.schema_note') IS NOT NULL AS there").fetchone()
    if there is None or not there["there"]:
        raise StoreError(
            "the database is empty", hint="Put the backup back first: pg_restore, then migrate --restored."
        )
    row = conn.execute("SELECT version FROM schema_note WHERE what = %s", (NOTE,)).fetchone()
    return row is not None and row["version"] == word


def note(conn: Conn, word: str) -> None:
    """Write down that this restore was seen to."""
    conn.execute(
        "INSERT INTO schema_note (what, version) VALUES (%s, %s)"
        " ON CONFLICT (what) DO UPDATE SET version = excluded.version, noted_at = excluded.noted_at",
        (NOTE, word),
    )


def forget_grants(conn: Conn) -> None:
    """Have the next migration give every right anew: a dump without owners and privileges has none."""
    conn.execute("DELETE FROM schema_note WHERE what = 'grants'")
