"""Brings a database to the schema this code knows: numbered SQL files, then PGMQ, then the grants.

Any number of processes may start together: each step is one transaction under one advisory lock and looks again at what is
done, so each is done once, and a process that dies at any statement leaves nothing half done.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.resources
import re
from collections.abc import Callable, Iterator

import attrs
import psycopg
from psycopg.rows import dict_row

from gpudev_sdk import fault
from gpudev_sdk.errors import StoreError, Unavailable
from gpudev_sdk.store import bell, grants, pgmq
from gpudev_sdk.store.pool import session_dsn
from gpudev_sdk.store.rows import Conn, Row

LOCK = 7205758
#: The oldest major version of PostgreSQL that the store is tried on.
OLDEST_SERVER = 16
_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_OLDEST = re.compile(rb"\A-- oldest: (\d+)\n")
#: A migration may take long and waits for others to finish theirs; services keep their short times.
_PATIENT = {"statement_timeout": "0", "lock_timeout": "60s", "idle_in_transaction_session_timeout": "0"}


@attrs.frozen(kw_only=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    text: bytes = attrs.field(repr=False)

    @property
    def sha256(self) -> str:
        """Return the digest that is recorded when the migration is applied."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def oldest(self) -> int | None:
        """Return the oldest schema whose code goes on beside it; None where it needs the code that brings it."""
        match = _OLDEST.match(self.text)
        return int(match[1]) if match else None


def migrations() -> list[Migration]:
    """Return every migration this code knows, in order; numbers run from 1 without a gap."""
    folder = importlib.resources.files("gpudev_sdk.store") / "migrations"
    found = [
        Migration(number=int(match[1]), name=file.name.removesuffix(".sql"), text=file.read_bytes())
        for file in folder.iterdir()
        if (match := _FILE.match(file.name))
    ]
    found.sort(key=lambda one: one.number)
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise StoreError("the migrations are not numbered from 1 without a gap")
    return found


#: The newest schema this code knows.
SCHEMA = len(migrations())


def migrate(dsn: str) -> list[str]:
    """Apply what is missing, as the schema's owner; return the names of the migrations applied by this call.

    A newer database whose migrations let this code go on is left as it is. Raises StoreError for another newer one,
    one whose recorded migrations differ from this code's, or a server that is too old, before anything is changed;
    Unavailable when it is away.
    """
    with _connection(dsn, _PATIENT) as conn:
        applied = []
        for one in migrations():
            if _locked(conn, functools.partial(_apply, one)):
                applied.append(one.name)
            fault.point("migrate:step")
        _locked(conn, _install_queue)
        _locked(conn, _grant)
        return applied


@contextlib.contextmanager
def _connection(dsn: str, settings: dict[str, str] | None = None) -> Iterator[Conn]:
    try:
        with psycopg.Connection[Row].connect(session_dsn(dsn, settings), row_factory=dict_row, autocommit=True) as conn:
            _check_server(conn)
            yield conn
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable(f"the database cannot answer now: {str(error).strip()}") from error


def _check_server(conn: Conn) -> None:
    """Refuse a server that is older than what the statements of the store were tried on, before anything is asked of it."""
    major = conn.info.server_version // 10_000
    if major < OLDEST_SERVER:
        raise StoreError(
            f"the database's server is PostgreSQL {major}, and this gpudev needs {OLDEST_SERVER} or newer",
            hint="Move the database to a newer server: pg_dump here, pg_restore there, then gpudev-services migrate.",
        )


def _locked(conn: Conn, step: Callable[[Conn], bool]) -> bool:
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        return step(conn)


def history(conn: Conn) -> dict[int, Row]:
    """Return the migrations recorded in a database by their numbers; nothing where that cannot be read yet."""
    # Between the first migration and the grants a service's role sees the table, and may not read it yet.
    there = conn.execute(
        "SELECT COALESCE(has_table_privilege(to_regclass('public.schema_migration'), 'SELECT'), false) AS there"
    ).fetchone()
    if there is None or not there["there"]:
        return {}
    # The column `oldest` came with 0014; whoever looks at an older schema reads null.
    rows = conn.execute(
        "SELECT number, name, sha256, (to_jsonb(m) ->> 'oldest')::int AS oldest FROM public.schema_migration m"
        " ORDER BY number"
    ).fetchall()
    return {row["number"]: row for row in rows}


def _apply(one: Migration, conn: Conn) -> bool:
    recorded = history(conn)
    _check(recorded)
    if one.number in recorded:
        return False
    conn.execute(one.text)
    conn.execute(
        "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, %s)", (one.number, one.name, one.sha256)
    )
    if one.oldest is not None:
        conn.execute("UPDATE schema_migration SET oldest = %s WHERE number = %s", (one.oldest, one.number))
    return True


def _grant(conn: Conn) -> bool:
    return grants.apply(conn, keep=max(history(conn), default=0) > SCHEMA)


def needed(recorded: dict[int, Row]) -> int:
    """Return the oldest schema whose code can use a database with this history."""
    return max((number if row["oldest"] is None else row["oldest"] for number, row in recorded.items()), default=0)


def _check(recorded: dict[int, Row]) -> None:
    """Refuse a history that is not a beginning of this code's, unless what came later lets this code go on."""
    known = {one.number: one for one in migrations()}
    if needed(recorded) > SCHEMA:
        raise StoreError(
            f"the database has schema {max(recorded)}, and this gpudev knows {SCHEMA} at most",
            hint="Upgrade gpudev to the version that migrated it, or restore the dump made before.",
        )
    for number, row in recorded.items():
        if number in known and row["sha256"] != known[number].sha256:
            raise StoreError(
                f"migration {row['name']} was applied in another form than this gpudev has it",
                hint="This database was made by a different build of gpudev; use that one, or restore a dump.",
            )


def _install_queue(conn: Conn) -> bool:
    noted = conn.execute("SELECT version FROM schema_note WHERE what = 'pgmq'").fetchone()
    if noted is None:
        version = pgmq.install(conn)
        conn.execute("INSERT INTO schema_note (what, version) VALUES ('pgmq', %s)", (version,))
    pgmq.ensure_queue(conn, bell.QUEUE)
    return noted is None


def schema_of(dsn: str) -> int:
    """Return the number of the newest migration applied to a database; 0 for an empty one."""
    with _connection(dsn) as conn:
        return max(history(conn), default=0)


def check_schema(dsn: str) -> None:
    """Raise StoreError, with the next step, unless this code can use the database as it is."""
    with _connection(dsn) as conn:
        recorded = history(conn)
    _check(recorded)
    newest = max(recorded, default=0)
    if newest < SCHEMA:
        raise StoreError(
            f"the database has schema {newest}, and this gpudev needs {SCHEMA}",
            hint="Bring it up to date: gpudev-services migrate.",
        )
