"""Processes by what cannot be reused: a pid together with its start time."""

from __future__ import annotations

import pathlib


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot, or None if there is none of that pid (proc(5), field 22)."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields.rpartition(")")[2].split()[19])
