"""Hears the bell: one LISTEN connection a process, outside the pool, in a thread of its own.

A notice is a hint and may be lost while the connection is away; so after each connect the listener says so, and its user
looks at everything once.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from gpudev_sdk.store import bell
from gpudev_sdk.store.pool import session_dsn

#: Seconds without a notice after which the connection is tried: a peer that vanished from the network says nothing.
QUIET = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

log = structlog.get_logger()


class Listener:
    """Calls `on_ring` for every notice and `on_reconnect` after every connect, from its thread; both must return at once."""

    def __init__(self, dsn: str, on_ring: Callable[[bell.Ring], None], on_reconnect: Callable[[], None]) -> None:
        self._dsn = session_dsn(dsn)
        self._on_ring = on_ring
        self._on_reconnect = on_reconnect
        self._stopping = threading.Event()
        self._stop_said, self._stop_heard = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen, once; returns at once, also when the database is away."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening within a second; nothing is called any more when this returns."""
        self._stopping.set()
        self._stop_said.close()
        if self._thread.ident is None:
            self._stop_heard.close()
        else:
            self._thread.join(1.0)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        with self._stop_heard:
            while not self._stopping.is_set():
                try:
                    with psycopg.connect(self._dsn, autocommit=True) as conn:
                        conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(bell.CHANNEL)))
                        pause = FIRST_PAUSE
                        self._hear(conn)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    log.warning("the bell cannot be heard; tried again", reason=type(error).__name__, delay=pause)
                    self._stopping.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)

    def _hear(self, conn: psycopg.Connection) -> None:
        watched = select.poll()
        for descriptor in (conn.fileno(), self._stop_heard.fileno()):
            watched.register(descriptor, select.POLLIN)
        if not self._stopping.is_set():
            self._on_reconnect()
        while not self._stopping.is_set():
            if not watched.poll(QUIET * 1000):
                conn.execute("SELECT 1")
            for notice in conn.notifies(timeout=0):
                self._tell(notice)

    def _tell(self, notice: psycopg.Notify) -> None:
        ring = bell.parse_ring(notice.payload)
        if ring is not None and not self._stopping.is_set():
            self._on_ring(ring)
