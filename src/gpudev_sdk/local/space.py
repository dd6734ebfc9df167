"""Free space: what is below the floor stops new things, so that what runs can go on writing."""

from __future__ import annotations

import os
import pathlib

from gpudev_sdk.errors import NoCapacity, TryLater
from gpudev_sdk.local.trees import amount


def free_bytes(folder: pathlib.Path) -> int:
    """Return what an unprivileged writer may still write on the folder's filesystem."""
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise TryLater(f"the space at {folder} cannot be read: {error.strerror}") from error
    return status.f_bavail * status.f_frsize


def check_floor(folder: pathlib.Path, floor: int, *, more: int = 0) -> None:
    """Raise NoCapacity if less than `floor` would be free after writing `more` bytes."""
    free = free_bytes(folder)
    if free - more < floor:
        needed = floor + more
        raise NoCapacity(
            f"{folder} has {amount(free)} free, less than the {amount(needed)} that this needs",
            hint=f"Free space there, or lower free_floor_bytes (now {floor}) in the configuration.",
        )
