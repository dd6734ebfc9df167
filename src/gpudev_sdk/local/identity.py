"""Who a process is, so that another that got its pid later is never taken for it.

Used by the supervisor of every box too, so it imports little.
"""

from __future__ import annotations

import os
import pathlib
import select
import signal
from typing import NamedTuple

_STAT_AFTER_NAME = 2  # fields `pid (name)` before the state; a name may hold spaces and parentheses
_START_TIME = 22


class Process(NamedTuple):
    """A process by what no other one ever has: the machine's start, its pid, and when it started (in clock ticks)."""

    boot: str
    pid: int
    start: int


def boot_id() -> str:
    """Name this run of the machine, or of the container that we are in: its first process is another after a restart."""
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{start_time(1) or 0}"


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine's start; None if there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return int(text.rpartition(")")[2].split()[_START_TIME - _STAT_AFTER_NAME - 1])


def identify(pid: int, boot: str) -> Process | None:
    """Return the identity of what has this pid now."""
    start = start_time(pid)
    return None if start is None else Process(boot, pid, start)


def open_pidfd(process: Process, boot: str) -> int | None:
    """Return a descriptor of exactly this process, or None if it is over; a zombie is over."""
    if process.boot != boot:
        return None
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if start_time(process.pid) != process.start or _is_over(pidfd):
        os.close(pidfd)
        return None
    return pidfd


def is_alive(process: Process, boot: str) -> bool:
    """Say whether exactly this process still runs."""
    pidfd = open_pidfd(process, boot)
    if pidfd is None:
        return False
    os.close(pidfd)
    return True


def send(process: Process, boot: str, number: signal.Signals) -> bool:
    """Signal exactly this process; return whether it was there."""
    pidfd = open_pidfd(process, boot)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def _is_over(pidfd: int) -> bool:
    """Say whether all threads of it have ended, which is when its descriptor becomes readable."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
