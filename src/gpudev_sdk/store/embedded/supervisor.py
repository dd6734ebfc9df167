"""Keeps one PostgreSQL up: adopts what an earlier run left, starts it, and starts it again whenever it dies.

A thread of our process. When our process is killed the server stays, and the next supervisor adopts it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

import psycopg
import structlog

from gpudev_sdk.errors import GpudevError, StoreError
from gpudev_sdk.store.embedded import passwords, postmaster
from gpudev_sdk.store.embedded.ballast import Ballast
from gpudev_sdk.store.embedded.layout import Layout
from gpudev_sdk.store.embedded.postmaster import Postmaster

#: Seconds between looks at the log's size and the ballast.
TICK = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
LOG_SIZE = 8 * 1024**2

log = structlog.get_logger()


class Supervisor:
    """Starts, restarts and stops the server of one PGDATA; its user holds the folder's lock."""

    def __init__(self, layout: Layout, settings: Mapping[str, str], ballast: Ballast) -> None:
        self._layout = layout
        self._settings = settings
        self._ballast = ballast
        self._server: Postmaster | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake: tuple[int, int] = (-1, -1)

    @property
    def pid(self) -> int | None:
        """The server's pid; None while it is down."""
        server = self._server
        return None if server is None else server.pid

    def start(self) -> None:
        """Have the server up, and keep it so from now on. Raises StoreError."""
        self._server = self._adopt() or self._launch()
        self._ballast.keep()
        self._stopping.clear()
        self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._watch, name="postgres-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server in order."""
        self._stopping.set()
        if self._thread is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            self._thread = None
            for end in self._wake:
                os.close(end)
        if self._server is not None:
            self._server.stop()
            self._server.close()
            self._server = None

    def _adopt(self) -> Postmaster | None:
        """Return a healthy server that an earlier run left; end one that is not, or that is another program's."""
        found = postmaster.find(self._layout)
        if found is None:
            return None
        if self._healthy(found):
            log.info("adopted the running database", pid=found.pid)
            return found
        log.warning("the database that was left running is ended", pid=found.pid)
        found.stop()
        found.close()
        return None

    def _healthy(self, server: Postmaster) -> bool:
        lines = postmaster.pid_file(self._layout)
        if len(lines) < 5 or lines[4] != str(self._layout.socket_folder()):
            return False
        try:
            if not postmaster.same_program(server):
                return False
            postmaster.wait_ready(server, self._layout)
            return answers(self._layout)
        except (StoreError, OSError):
            return False

    def _launch(self) -> Postmaster:
        try:
            return postmaster.launch(self._layout, self._settings)
        except StoreError as error:
            if not self._ballast.release():
                raise
            log.warning("the filesystem is full; space kept back is given up", reason=error.message)
            return postmaster.launch(self._layout, self._settings)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            server = self._server
            if server is None:
                self._restart()
            elif server.wait(TICK, self._wake[0]):
                log.error("the database died and is started again", pid=server.pid)
                server.close()
                self._server = None
            elif not self._stopping.is_set():
                self._keep_house()

    def _restart(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._server = self._launch()
                log.info("the database is up again", pid=self._server.pid)
                return
            except GpudevError as error:
                log.error("the database cannot be started; it is tried again", reason=error.message, delay=pause)
            except OSError as error:
                log.error("the database cannot be started; it is tried again", reason=str(error), delay=pause)
            self._stopping.wait(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _keep_house(self) -> None:
        try:
            self._ballast.keep()
            cap_log(self._layout, LOG_SIZE)
        except OSError as error:
            log.warning("the database's folder cannot be looked after", reason=str(error))


def answers(layout: Layout) -> bool:
    """Say whether the server takes our password and answers."""
    try:
        with psycopg.connect(
            passwords.dsn(layout, passwords.SUPERUSER, "postgres"), connect_timeout=3, options="-c statement_timeout=5s"
        ) as conn:
            conn.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def cap_log(layout: Layout, size: int) -> None:
    """Move the log's content aside once it is too long; the server goes on writing to the same file."""
    if not layout.log.exists() or layout.log.stat().st_size <= size:
        return
    kept = layout.log.with_name("postgres.log.1")
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as copy, layout.log.open("rb") as file:
        file.seek(-min(size, layout.log.stat().st_size), os.SEEK_END)
        copy.write(file.read(size))
    os.truncate(layout.log, 0)
