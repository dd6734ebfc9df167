"""The store: a pool of connections that hands out transactions, and says Unavailable when the database is away.

Services hold one `Store` each, as their own role. Nothing here retries: a transaction that failed is the caller's to repeat.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from gpudev_sdk import fault
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.rows import Conn, Row

#: Seconds a transaction waits for a connection.
PATIENCE = 3.0
#: Seconds for which the pool tries to replace a connection by itself; afterwards the next caller makes it try at once.
RECONNECT = 1.0
MAX_IDLE = 300.0

_SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "default_transaction_isolation": "read\\ committed",
    "timezone": "UTC",
    "jit": "off",
}


def session_dsn(dsn: str, settings: dict[str, str] | None = None) -> str:
    """Return the DSN with the session settings that every connection of ours has, and with bounds on a silent network."""
    given = conninfo_to_dict(dsn)
    ours = " ".join(f"-c {name}={value}" for name, value in (_SESSION | (settings or {})).items())
    options = f"{ours} {given.pop('options', None) or ''}".strip()
    bounds: dict[str, str | int | None] = {
        "connect_timeout": 3,
        "tcp_user_timeout": 5000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
    }
    return make_conninfo("", **(bounds | given | {"options": options}))


def _check(conn: Conn) -> None:
    """Ask the server only if something lies unread on the socket; a dead server shows by that."""
    unread = select.poll()
    unread.register(conn.fileno(), select.POLLIN)
    if unread.poll(0):
        ConnectionPool.check_connection(conn)


class Store:
    """Transactions on one database as one role; safe to use from any number of threads."""

    def __init__(self, dsn: str, *, max_size: int = 10) -> None:
        self._pool: ConnectionPool[psycopg.Connection[Row]] = ConnectionPool(
            session_dsn(dsn),
            connection_class=psycopg.Connection[Row],
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=max_size,
            timeout=PATIENCE,
            reconnect_timeout=RECONNECT,
            max_idle=MAX_IDLE,
            check=_check,
            open=False,
            num_workers=1,
        )

    def open(self) -> None:
        """Begin to connect; returns at once, also when the database is away."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection; transactions under way lose theirs when they end."""
        self._pool.close()

    @contextlib.contextmanager
    def transaction(self, step: str | None = None) -> Iterator[Conn]:
        """Give a connection whose work is committed at the end of the block, or undone if the block raises.

        One that writes names its step, so that a simulation can crash before it and after it.
        Raises Unavailable when the database cannot be reached or could not finish the work (a lost connection, a timeout, a
        full disk, a deadlock): then nothing is known of a commit under way, and the work may be done again. A violated
        constraint is a fault of ours and stays psycopg's own error.
        """
        if step is not None:
            fault.point(f"{step}:before")
        try:
            with self._pool.connection() as conn:
                yield conn
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(f"the database cannot answer now ({type(error).__name__})") from error
        if step is not None:
            fault.point(f"{step}:after")
