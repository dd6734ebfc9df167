"""Processes by what cannot be reused: a pid together with its start time."""

from __future__ import annotations

import pathlib


def start_time(pid: int) -> int | None:
    """Return when a living process started, in clock ticks since boot; None if none of that pid lives (proc(5), 3 and 22).

    A zombie, which nobody may ever reap in a container, does not live.
    """
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = fields.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])
