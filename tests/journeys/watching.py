"""What of an install's boxes and disks must not change while nobody may act on them."""

from __future__ import annotations

import hashlib
import json
import pathlib

from gpudev_services.up.processes import start_time


def boxes_of(install):
    """Return (pid, start) of every process of its boxes; what supervises them is among these."""
    mark = str(install.data / "backends" / "local" / "boxes")
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark in line:
            found.add((int(path.parent.name), start_time(int(path.parent.name))))
    return found


def stored(install):
    """Return the digest of every file of its disks and snapshots, by path."""
    root = install.data / "backends" / "local" / "disks"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def claim_of(install):
    """Return who controls its machine, and since how many starts."""
    return json.loads((install.data / "backends" / "local" / "claim.json").read_text())
