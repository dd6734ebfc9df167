"""The message queue: PGMQ by plain SQL, in the caller's transaction.

`install` uses the extension where the server offers it, and otherwise the SQL that comes with the `pgmq` distribution, whose
client is never imported. `enable_notify_insert` is not used: it holds back notices for 250 ms and makes senders wait for
each other.
"""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import attrs
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store.rows import Conn

#: The version whose functions this module was written against.
VERSION = "1.13.0"


@attrs.frozen(kw_only=True)
class Message:
    """A message as it was read; `body` is None if it is no JSON object."""

    id: int
    body: dict[str, Any] | None
    read_count: int


def install(conn: Conn) -> str:
    """Install PGMQ where it is missing; return the version that is there, or `unknown` if others installed it by SQL."""
    there = conn.execute("SELECT to_regclass('pgmq.meta') IS NOT NULL AS there").fetchone()
    if there is None or not there["there"]:
        return _create_extension(conn) or _run_sql(conn)
    return _extension_version(conn) or "unknown"


def _extension_version(conn: Conn) -> str | None:
    row = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'pgmq'").fetchone()
    return None if row is None else str(row["extversion"])


def _create_extension(conn: Conn) -> str | None:
    if conn.execute("SELECT FROM pg_available_extensions WHERE name = 'pgmq'").fetchone() is None:
        return None
    try:
        with conn.transaction():
            conn.execute("CREATE EXTENSION pgmq")
    except psycopg.errors.InsufficientPrivilege:
        return None
    return _extension_version(conn)


def _run_sql(conn: Conn) -> str:
    folder = sql_folder()
    version = (folder / "VERSION").read_text(encoding="ascii").strip()
    conn.execute((folder / "pgmq.sql").read_bytes())
    return version


def sql_folder() -> pathlib.Path:
    """Return the folder of the `pgmq` distribution that holds its SQL, without importing it."""
    spec = importlib.util.find_spec("pgmq")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the distribution pgmq is not installed", hint="pip install 'gpudev-sdk[server]'")
    return pathlib.Path(spec.submodule_search_locations[0]) / "sql"


def ensure_queue(conn: Conn, name: str) -> None:
    """Make a queue unless there is one of that name."""
    if conn.execute("SELECT FROM pgmq.meta WHERE queue_name = %s", (name,)).fetchone() is None:
        conn.execute("SELECT pgmq.create(%s)", (name,))


def grant(conn: Conn, queue: str, role: str, *, reads: bool) -> None:
    """Let a role send to a queue, and with `reads` also read, archive and forget."""
    tables = {"q": sql.Identifier("pgmq", f"q_{queue}"), "a": sql.Identifier("pgmq", f"a_{queue}")}
    to = sql.Identifier(role)
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA pgmq TO {}").format(to))
    # `send` returns the id of its row, which takes the right to read that column.
    conn.execute(sql.SQL("GRANT INSERT, SELECT (msg_id) ON {} TO {}").format(tables["q"], to))
    if reads:
        conn.execute(sql.SQL("GRANT SELECT, UPDATE, DELETE ON {} TO {}").format(tables["q"], to))
        conn.execute(sql.SQL("GRANT SELECT, INSERT, DELETE ON {} TO {}").format(tables["a"], to))


def send(conn: Conn, queue: str, body: dict[str, Any]) -> int:
    """Put a message into a queue when the transaction commits; return its id."""
    row = conn.execute("SELECT pgmq.send(%s::text, %s::jsonb) AS id", (queue, Jsonb(body))).fetchone()
    assert row is not None  # a SELECT without FROM
    return int(row["id"])


def read(conn: Conn, queue: str, *, vt: int, qty: int) -> list[Message]:
    """Take up to `qty` messages, which nobody else sees for `vt` seconds."""
    rows = conn.execute("SELECT msg_id, read_ct, message FROM pgmq.read(%s::text, %s::int, %s::int)", (queue, vt, qty))
    return [
        Message(
            id=row["msg_id"],
            body=row["message"] if isinstance(row["message"], dict) else None,
            read_count=row["read_ct"],
        )
        for row in rows
    ]


def archive(conn: Conn, queue: str, message_id: int) -> None:
    """Put a handled message away; silent if it is put away already."""
    conn.execute("SELECT pgmq.archive(%s::text, %s::bigint)", (queue, message_id))


def forget(conn: Conn, queue: str, *, days: int, most: int) -> int:
    """Delete messages that were put away so long ago, the oldest first; return how many that were."""
    table = sql.Identifier("pgmq", f"a_{queue}")
    text = sql.SQL(
        "DELETE FROM {0} WHERE msg_id IN (SELECT msg_id FROM {0} WHERE archived_at < gpudev_now() - make_interval(days => %s)"
        " ORDER BY archived_at LIMIT %s)"
    )
    return conn.execute(text.format(table), (days, most)).rowcount
