"""How workers are called, and which of this machine are dead: what those held need not wait for its time to run out.

A lease's epoch rises with the next holder, so that even a worker taken for dead by mistake could write nothing.
"""

from __future__ import annotations

import os
import pathlib
import re
import socket

from gpudev_sdk.engine.context import Engine
from gpudev_sdk.store.reservations import Q

_NAME = re.compile(r"(?P<host>.+)-(?P<pid>\d{1,10})-\d{1,4}\Z")


def process_name() -> str:
    """Return what the workers of this process are called, before their number."""
    return f"{socket.gethostname()}-{os.getpid()}"


def is_dead(worker: str) -> bool:
    """Say whether a worker was one of this machine whose process is gone; one of elsewhere is never known to be."""
    found = _NAME.match(worker)
    if found is None or found["host"] != socket.gethostname():
        return False
    try:
        status = pathlib.Path("/proc", found["pid"], "stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    # A zombie works no more, whether or not anybody reaps it.
    return status.rpartition(")")[2].split()[0] in "ZX"


def end_leases_of_the_dead(engine: Engine) -> None:
    """Let what workers of this machine held when they were killed be taken up at once."""
    with engine.store.transaction() as conn:
        for row in conn.execute(Q["lease_holders"]).fetchall():
            if is_dead(row["holder"]):
                conn.execute(Q["end_leases"], row)
                conn.execute(Q["end_disk_leases"], row)
