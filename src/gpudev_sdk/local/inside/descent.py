"""Which processes come from one, for boxes without a pid namespace."""

from __future__ import annotations

import pathlib


def descendants(ancestor: int) -> list[int]:
    """Return every process that comes from `ancestor`, the farthest last."""
    parents = {pid: parent for pid in _all_pids() if (parent := _parent_of(pid)) is not None}
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found[1:]


def _all_pids() -> list[int]:
    return [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])
