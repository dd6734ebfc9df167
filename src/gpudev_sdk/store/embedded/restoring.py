"""Puts a database back from a dump: a fresh PGDATA is filled beside the old one, which is set aside and never deleted."""

from __future__ import annotations

import pathlib
import shutil
import time

import psycopg
from psycopg.rows import dict_row

from gpudev_sdk.errors import NotFound, StoreError
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import binaries, passwords, pgdata, postmaster
from gpudev_sdk.store.embedded.layout import Layout, sync_folder, usable
from gpudev_sdk.store.embedded.server import DATABASE, end_left_over, ensure_roles
from gpudev_sdk.store.restored import forget_transactions
from gpudev_sdk.store.rows import Row


def restore(folder: pathlib.Path, dump: pathlib.Path) -> pathlib.Path:
    """Replace the database in `folder` by the dump's, while it is down; return where the old one is kept.

    Raises NotFound, StoreError; until the very end nothing of the old database is touched.
    """
    if not dump.is_file():
        raise NotFound(f"there is no file {dump}", hint="Name what `gpudev admin backup` wrote.")
    layout = Layout(folder.absolute())
    layout.prepare()
    with layout.lock():
        end_left_over(layout)
        binaries.run([binaries.program("pg_restore"), "--list", dump.absolute()], f"reading {dump}")
        passwords.ensure(layout)
        fresh = Layout(layout.folder, "data.restored")
        _fill(fresh, dump.absolute())
        return _swap(layout, fresh)


def _fill(fresh: Layout, dump: pathlib.Path) -> None:
    end_left_over(fresh)
    if fresh.data.exists():
        shutil.rmtree(fresh.data)
    pgdata.make(fresh, durable=False)
    server = postmaster.launch(fresh, {"fsync": "off", "full_page_writes": "off"})
    try:
        ensure_roles(fresh)
        owner = passwords.dsn(fresh, roles.OWNER, DATABASE)
        ways = ["--single-transaction", "--exit-on-error", "--no-owner", f"--dbname={owner}"]
        binaries.run([binaries.program("pg_restore"), *ways, dump], "the restore")
        _renumber(fresh)
    finally:
        server.stop()
        server.close()
        fresh.drop_socket_folder()
    binaries.run([binaries.program("initdb"), "--sync-only", f"--pgdata={fresh.data}"], "writing the database to disk")


def _renumber(fresh: Layout) -> None:
    dsn = passwords.dsn(fresh, passwords.SUPERUSER, DATABASE)
    try:
        with psycopg.Connection[Row].connect(dsn, row_factory=dict_row) as conn:
            forget_transactions(conn)
    except psycopg.OperationalError as error:
        raise StoreError(f"the restore failed: {error}") from error


def _swap(layout: Layout, fresh: Layout) -> pathlib.Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = layout.folder / f"data.before-restore-{stamp}"
    with usable(layout.folder):
        if layout.data.exists():
            layout.data.rename(aside)
        fresh.data.rename(layout.data)
        sync_folder(layout.folder)
    pgdata.mark(layout)
    return aside
