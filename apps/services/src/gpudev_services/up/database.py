"""The database of an install: the embedded PostgreSQL, or one that the operator has."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import attrs

from gpudev_sdk.store.dumping import dump
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.migrate import migrate
from gpudev_services.up.folder import DataFolder


@attrs.frozen(kw_only=True)
class Database:
    """Where the services connect, each as its own role."""

    engine_dsn: str = attrs.field(repr=False)
    api_dsn: str = attrs.field(repr=False)
    dump: Callable[[pathlib.Path], None]


@contextlib.contextmanager
def open_database(folder: DataFolder, dsn: str) -> Iterator[Database]:
    """Start the embedded database, or use the one of `dsn`; migrate it either way."""
    if dsn:
        migrate(dsn)
        yield Database(engine_dsn=dsn, api_dsn=dsn, dump=lambda path: dump(dsn, path))
        return
    embedded = Embedded(folder.database)
    embedded.start()
    try:
        embedded.migrate()
        yield Database(engine_dsn=embedded.dsn("gpudev_engine"), api_dsn=embedded.dsn("gpudev_api"), dump=embedded.dump)
    finally:
        embedded.stop()
