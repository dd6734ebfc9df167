"""Whether a data folder is the one it seems to be, before anything starts in it.

Where it lies is written down in it: a copy would take the first one's boxes for its own.
"""

from __future__ import annotations

import contextlib
import json
import pathlib

from gpudev_sdk.errors import StoreError
from gpudev_services.up.folder import CONTROL_PLANE, DataFolder, write_private

PLACE = "place.json"


def refuse_emptied(folder: DataFolder) -> None:
    """Raise StoreError for a folder that looks new while boxes of it run: it was emptied, or is not mounted."""
    if (folder.root / CONTROL_PLANE).exists():
        return
    if (process := process_below(folder.root)) is not None:
        raise StoreError(
            f"{folder.root} is empty, and boxes that belong to it run (process {process})",
            hint="Is it mounted? Put back what was there, and start again; nothing is touched meanwhile.",
        )


def refuse_copied(folder: DataFolder) -> None:
    """Raise StoreError for a copy of a folder that is still there or has boxes; what was moved lies here from now on."""
    here, note = folder.root.resolve(), folder.root / PLACE
    before = _read(note) if note.exists() else here
    if before != here and _is_there(before, here):
        raise StoreError(
            f"{here} is a copy of {before}, which is still there",
            hint=f"Use that one. To go on here: cancel its boxes, run `gpudev down --data {before}`, and take {before} away.",
        )
    if before != here and (process := process_below(before)) is not None:
        raise StoreError(
            f"{here} comes from {before}, and boxes of that run (process {process})",
            hint="Put it back there; boxes cannot be moved while they run.",
        )
    if before != here or not note.exists():
        write_private(note, json.dumps({"path": str(here)}).encode())


def _read(note: pathlib.Path) -> pathlib.Path:
    try:
        return pathlib.Path(json.loads(note.read_text(encoding="utf-8"))["path"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{note} is damaged", hint="Remove it if this folder is no copy of another.") from error


def _is_there(before: pathlib.Path, here: pathlib.Path) -> bool:
    """Say whether the first one is there; the same folder under two names is no copy."""
    try:
        return (before / CONTROL_PLANE).exists() and not before.samefile(here)
    except OSError as error:
        raise StoreError(
            f"{here} comes from {before}, and it cannot be told whether that is still there: {error.strerror}",
            hint="Start gpudev as who may look there.",
        ) from error


def process_below(root: pathlib.Path) -> str | None:
    """Return the pid of a process that works for a box of the folder, or None."""
    mark = f"{root}/backends/".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended since it was listed.
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                return path.parent.name
    return None
