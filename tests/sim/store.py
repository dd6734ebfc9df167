"""The store of a simulation: real transactions on a real database, whose SQL sees the virtual clock.

One connection a role serves everybody, because only one actor runs at a time and none gives the baton away inside a
transaction. What a lost connection does at COMMIT is for the fault policy to decide, at the step's boundaries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
from psycopg.rows import dict_row

from gpudev_sdk import fault
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.pool import Store, session_dsn
from gpudev_sdk.store.rows import Conn


class SimStore(Store):
    """Transactions that begin at the virtual now."""

    def __init__(self, dsn: str, now: Callable[[], str], committed: Callable[[str | None], None]) -> None:
        self._now = now
        self._committed = committed
        self._conn: Conn = psycopg.connect(session_dsn(dsn), autocommit=True, row_factory=dict_row)
        self.inside = False

    def open(self) -> None:
        """Nothing: it is open."""

    def close(self) -> None:
        """Let go of the connection."""
        self._conn.close()

    @contextlib.contextmanager
    def transaction(self, step: str | None = None) -> Iterator[Conn]:
        """As the real one; a named one tells the simulation that something was written."""
        assert not self.inside, "one transaction at a time"
        if step is not None:
            fault.point(f"{step}:before")
        self._conn.execute(f"BEGIN; SET LOCAL gpudev.now = '{self._now()}'")
        self.inside = True
        try:
            yield self._conn
        except BaseException as error:
            self.inside = False
            self._conn.execute("ROLLBACK")
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable(f"the database cannot answer now ({type(error).__name__})") from error
            raise
        self.inside = False
        self._conn.execute("COMMIT")
        self._committed(step)
        if step is not None:
            fault.point(f"{step}:after")
