"""Dumps of the embedded database: asked for by its owner, and made before a migration."""

from __future__ import annotations

import os
import pathlib
import tempfile
import time

from gpudev_sdk.errors import Conflict
from gpudev_sdk.store.embedded import binaries
from gpudev_sdk.store.embedded.layout import Layout, sync_folder, usable

#: Dumps before a migration that are kept.
KEPT = 3


def write(dsn: str, path: pathlib.Path) -> None:
    """Write a dump to a new 0600 file; it appears whole or not at all. Raises Conflict, StoreError."""
    if path.exists():
        raise Conflict(f"{path} is there already", hint="Name a new file.")
    with usable(path.parent):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(descriptor)
    temporary = pathlib.Path(name)
    try:
        ways = ["--format=custom", f"--file={temporary}", f"--dbname={dsn}"]
        binaries.run([binaries.program("pg_dump"), *ways], "the backup")
        with usable(path.parent):
            temporary.rename(path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def before_migration(layout: Layout, dsn: str, schema: int) -> pathlib.Path:
    """Write a dump of a database that is about to be migrated; keep the newest few; return its path."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    made = layout.dumps / f"schema-{schema:04}-{stamp}-{os.getpid()}.dump"
    write(dsn, made)
    kept = sorted(layout.dumps.glob("schema-*.dump"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-KEPT]:
        old.unlink()
    return made
