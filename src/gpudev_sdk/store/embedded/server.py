"""The embedded PostgreSQL as its user sees it: start, stop, how to connect, migrate, dump."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

import structlog

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store import migrate as migrations
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import dumps, passwords, pgdata
from gpudev_sdk.store.embedded import postmaster as postmasters
from gpudev_sdk.store.embedded.ballast import SIZE, Ballast
from gpudev_sdk.store.embedded.layout import Layout
from gpudev_sdk.store.embedded.supervisor import Supervisor

DATABASE = "gpudev"

log = structlog.get_logger()


class Embedded:
    """One PostgreSQL in one folder. `start` and `stop` are for who runs it; the rest works for anyone who may read there."""

    def __init__(
        self, folder: pathlib.Path, *, settings: Mapping[str, str] | None = None, ballast_bytes: int = SIZE
    ) -> None:
        self.folder = folder.absolute()
        self._layout = Layout(self.folder)
        self._supervisor = Supervisor(
            self._layout, settings or {}, Ballast(self._layout.folder / "ballast", ballast_bytes)
        )
        self._durable = (settings or {}).get("fsync") != "off"
        self._lock: int | None = None

    @property
    def pid(self) -> int | None:
        """The server's pid; None while it is down."""
        return self._supervisor.pid

    def start(self) -> None:
        """Have the database up with its roles, made on the first start, and keep it up until `stop`.

        A server that an earlier run left is adopted. Raises StoreError, with the next step, for a folder in use, read-only,
        emptied, or of another PostgreSQL; nothing in it is changed then.
        """
        if self._lock is not None:
            raise StoreError(f"the database in {self.folder} is started already")
        self._layout.prepare()
        self._lock = self._layout.take_lock()
        try:
            passwords.check(self._layout)
            passwords.ensure(self._layout)
            pgdata.ensure(self._layout, durable=self._durable)
            self._supervisor.start()
            ensure_roles(self._layout)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server in order and let go of the folder."""
        if self._lock is None:
            return
        try:
            self._supervisor.stop()
            self._layout.drop_socket_folder()
        finally:
            os.close(self._lock)
            self._lock = None

    def end_left_over(self) -> bool:
        """End a server that a killed run left behind; return whether there was one. Raises StoreError if one is in use."""
        with self._layout.lock():
            return end_left_over(self._layout)

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """Return how a role connects. The password is not in it: it names the file that holds it."""
        return passwords.dsn(self._layout, role, database)

    def migrate(self) -> list[str]:
        """Bring the schema up to date, after a dump if there is something to lose; return what was applied."""
        owner = self.dsn(roles.OWNER)
        schema = migrations.schema_of(owner)
        if 0 < schema < migrations.SCHEMA:
            log.info("dumped before migrating", dump=str(dumps.before_migration(self._layout, owner, schema)))
        return migrations.migrate(owner)

    def dump(self, path: pathlib.Path) -> None:
        """Write everything to a new file that only we can read. Raises Conflict, StoreError."""
        dumps.write(self.dsn(roles.OWNER), path)


def ensure_roles(layout: Layout) -> None:
    """Make the roles and the database of a server that is up."""
    known = {role: passwords.read(layout, role) for role in roles.ROLES}
    roles.ensure_roles(passwords.dsn(layout, passwords.SUPERUSER, "postgres"), DATABASE, known)


def end_left_over(layout: Layout) -> bool:
    """End a server that nobody supervises; the caller holds the folder's lock."""
    found = postmasters.find(layout)
    if found is None:
        return False
    found.stop()
    found.close()
    layout.drop_socket_folder()
    return True
