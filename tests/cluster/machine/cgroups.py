"""The cluster's own cgroup: every process and every pod of it is in it, so all are found without guessing by name.

It exists in each hierarchy of cgroup v1, or once in v2. Ours are in `processes`; the kubelet makes `kubepods` beside it.
"""

from __future__ import annotations

import os
import pathlib
import signal
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
#: The hierarchy of v1 in which our processes are; pods are in this one too.
OURS = "pids"
PATIENCE = 10.0


class CannotClear(Exception):
    """A process does not end though it was killed."""


def roots() -> list[pathlib.Path]:
    """Return the folder of each hierarchy."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    # Some are there under two names, of which one is a link. v2 may be among them, without controllers.
    return sorted(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())


def make(name: str) -> None:
    """Make the cgroup in every hierarchy; the kubelet asks for that."""
    for root in roots():
        folder = root / name / "processes"
        folder.mkdir(parents=True, exist_ok=True)
        if root.name == "cpuset":
            # A cpuset without processors takes no process, and children do not inherit them by themselves.
            for part in (folder.parent, folder):
                for kind in ("cpuset.cpus", "cpuset.mems"):
                    (part / kind).write_text((part.parent / kind).read_text())


def place(name: str) -> pathlib.Path:
    """Return the file into which a process writes its pid to be one of ours."""
    root = ROOT if (ROOT / "cgroup.controllers").exists() else ROOT / OURS
    return root / name / "processes" / "cgroup.procs"


def members(name: str) -> list[int]:
    """Return every process in the cgroup, ours and those of pods."""
    top = place(name).parents[1]
    found: list[int] = []
    for file in top.rglob("cgroup.procs"):
        try:
            found += [int(pid) for pid in file.read_text().split()]
        except OSError:
            # The folder went away meanwhile, and its processes with it.
            continue
    return found


def kill_all(name: str) -> None:
    """Kill every process in the cgroup, and wait until none is left."""
    deadline = time.monotonic() + PATIENCE
    while pids := members(name):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise CannotClear(f"processes {pids} of the test cluster do not end")
        time.sleep(0.05)


def remove(name: str) -> None:
    """Remove the cgroup from every hierarchy, the innermost folders first."""
    for root in roots():
        top = root / name
        folders = [path for path in top.rglob("*") if path.is_dir()]
        for folder in sorted([top, *folders], key=lambda path: len(path.parts), reverse=True):
            _remove(folder)


def _remove(folder: pathlib.Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            # Busy for some milliseconds after its last process ended.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def left(name: str) -> list[str]:
    """Return the folders of the cgroup that are still there."""
    return [str(root / name) for root in roots() if (root / name).exists()]
