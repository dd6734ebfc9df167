"""Finds what a box without walls left behind: processes whose environment names the box's folder."""

from __future__ import annotations

import os
import pathlib
import signal

from gpudev_sdk.local import identity


def pids_of(run: pathlib.Path) -> list[int]:
    """Return the processes that carry the box's mark."""
    return [pid for pid in _all_pids() if is_of(pid, run)]


def is_of(pid: int, run: pathlib.Path) -> bool:
    """Say whether a process carries the box's mark."""
    return b"GPUDEV_RUN=" + os.fsencode(run) in _environment(pid)


def end(run: pathlib.Path) -> bool:
    """Kill what carries the mark; return whether there was anything."""
    boot = identity.boot_id()
    found = False
    for pid in pids_of(run):
        process = identity.identify(pid, boot)
        # Looked at again once it is known who it is, so that no other of that pid is meant.
        if process is not None and is_of(pid, run):
            found = identity.send(process, boot, signal.SIGKILL) or found
    return found


def _all_pids() -> list[int]:
    return [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
