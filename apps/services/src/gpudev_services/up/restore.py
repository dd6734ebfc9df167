"""`gpudev admin restore`: puts the database back from a backup. The old one is set aside, and the next start is paused."""

from __future__ import annotations

import os
import pathlib

from gpudev_sdk.engine.claim import pause_everything
from gpudev_sdk.errors import NotFound
from gpudev_sdk.store.embedded import restore as restore_database
from gpudev_sdk.store.pool import Store
from gpudev_services.up.database import open_database
from gpudev_services.up.folder import DataFolder


def restore(folder: DataFolder, dump: pathlib.Path) -> str:
    """Do it while gpudev is down; return what to say."""
    if not dump.is_file():
        raise NotFound(f"there is no file {dump}", hint="Name what `gpudev admin backup` wrote.")
    folder.prepare()
    lock = folder.lock()
    try:
        aside = restore_database(folder.database, dump)
        _pause(folder)
    finally:
        os.close(lock)
    return (
        f"The database is back as it was in {dump}; what was there before is kept in {aside}.\n"
        "The next `gpudev up` starts paused: look at the differences with `gpudev admin adopt local`."
    )


def _pause(folder: DataFolder) -> None:
    """Mark the database as one that somebody has to look at, whatever the backends' claims say."""
    with open_database(folder, "") as database:
        store = Store(database.engine_dsn)
        store.open()
        try:
            pause_everything(store, "the database was put back from a backup")
        finally:
            store.close()
