"""Makes PGDATA once, and afterwards checks that what lies there is what was made."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from gpudev_sdk import fault
from gpudev_sdk.errors import StoreError
from gpudev_sdk.store.embedded import binaries, passwords
from gpudev_sdk.store.embedded.layout import Layout, sync_folder, usable, write_private

#: For a small machine; written into postgresql.conf, where an operator may change them.
TUNED = {
    "shared_buffers": "32MB",
    "max_connections": "60",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_worker_processes": "2",
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "autovacuum_max_workers": "1",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def ensure(layout: Layout, *, durable: bool = True) -> bool:
    """Make PGDATA if this folder never had one, and check it otherwise; return whether it was made. Needs the lock."""
    if layout.marker.exists():
        check(layout)
        return False
    if layout.data.exists() and any(layout.data.iterdir()):
        # The rename is done and the note of it is not: a start was cut off there.
        check_version(layout.data)
    else:
        make(layout, durable=durable)
    mark(layout)
    return True


def make(layout: Layout, *, durable: bool) -> None:
    """Run initdb beside `data` and rename it into place, so that a `data` that exists is whole.

    Where it need not be durable yet, writing it to disk is left to later.
    """
    scratch = Layout(layout.folder, f"{layout.data_name}.making")
    with (
        _alone(layout) as lock,
        tempfile.NamedTemporaryFile("w", dir=layout.folder, prefix=".pw-", encoding="ascii") as file,
    ):
        if scratch.data.exists():
            shutil.rmtree(scratch.data)
        file.write(passwords.read(layout, passwords.SUPERUSER))
        file.flush()
        tuned = [word for name, value in TUNED.items() for word in ("--set", f"{name}={value}")]
        ways = ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={file.name}"]
        text = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        late = [] if durable else ["--no-sync"]
        who = [f"--username={passwords.SUPERUSER}", "--no-instructions", f"--pgdata={scratch.data}"]
        binaries.run(
            [binaries.program("initdb"), *who, *ways, *text, *late, *tuned], "making the database", keeps=[lock]
        )
    fault.point("initdb:made")
    with usable(layout.folder):
        if layout.data.exists():
            layout.data.rmdir()
        scratch.data.rename(layout.data)
        sync_folder(layout.folder)


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[int]:
    """Wait until no initdb of a start that was killed is at work here; give the lock that ours keeps while it lives."""
    with usable(layout.folder):
        descriptor = os.open(
            layout.folder / "making.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def mark(layout: Layout) -> None:
    """Note that `data` was made; from now on it is never made afresh."""
    fault.point("initdb:renamed")
    about = {"major": binaries.MAJOR, "system": system_id(layout.data)}
    write_private(layout.marker, json.dumps(about) + "\n")


def check(layout: Layout) -> None:
    """Raise StoreError, with the next step, unless `data` is the one that was made here, of our major version."""
    if not (layout.data / "PG_VERSION").exists():
        raise StoreError(
            f"{layout.data} is empty or away, and it held the database: it is not made afresh",
            hint="Mount or move it back; or put a backup in its place: gpudev admin restore FILE.",
        )
    check_version(layout.data)
    try:
        about = json.loads(layout.marker.read_text(encoding="utf-8"))
        made = about["system"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{layout.marker} is damaged", hint="Put it back from a backup of the folder.") from error
    if made != system_id(layout.data):
        raise StoreError(
            f"{layout.data} is another database than the one that was made here",
            hint="Move the right one back; or put a backup in its place: gpudev admin restore FILE.",
        )


def check_version(data: pathlib.Path) -> None:
    """Raise StoreError if another major version of PostgreSQL made `data`."""
    with usable(data):
        major = (data / "PG_VERSION").read_text(encoding="ascii").strip() if (data / "PG_VERSION").exists() else "none"
    if major != str(binaries.MAJOR):
        raise StoreError(
            f"{data} was made by PostgreSQL {major}, and this gpudev brings PostgreSQL {binaries.MAJOR}",
            hint="With the older gpudev: gpudev admin backup FILE. With this one: gpudev admin restore FILE.",
        )


def system_id(data: pathlib.Path) -> int:
    """Return the number that initdb gave to a PGDATA; it is the first of its control file."""
    with usable(data):
        return int.from_bytes((data / "global" / "pg_control").read_bytes()[:8], "little")
