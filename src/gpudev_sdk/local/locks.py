"""The lock of a volume: held exclusively by a box for as long as it lives, shared by whoever copies the volume.

The kernel lets go of it when the last holder of the descriptor dies, so it never lies.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import time

from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.local import markers

NAME = "lock"
#: Looking at a lock takes it for a moment; whoever wants it waits that out.
_PATIENCE = 0.25


def take(root: pathlib.Path) -> int:
    """Lock a volume for a box and return the descriptor that holds it; raise Conflict while a box or a copy has it."""
    return _take(root, fcntl.LOCK_EX)


def share(root: pathlib.Path) -> int:
    """Keep boxes from a volume while it is copied; raise Conflict while a box has it."""
    return _take(root, fcntl.LOCK_SH)


def is_free(root: pathlib.Path) -> bool:
    """Say whether no box holds the volume; raise TryLater when it cannot be told. A copy being made leaves it free."""
    try:
        held = _open(root)
    except FileNotFoundError as error:
        if (root.parent.parent / markers.FOLDER).exists():
            return True
        raise TryLater(f"the volume {root} cannot be seen", hint="Is the folder of disks mounted?") from error
    except OSError as error:
        raise TryLater(f"the lock of {root} cannot be read: {error.strerror}") from error
    try:
        return hold(held, fcntl.LOCK_SH, 0.0)
    finally:
        os.close(held)


def _take(root: pathlib.Path, kind: int) -> int:
    try:
        held = _open(root)
    except FileNotFoundError as error:
        raise Unworkable(f"the volume {root} is not there", hint="Is the folder of disks mounted?") from error
    except OSError as error:
        raise TryLater(f"the lock of {root} cannot be opened: {error.strerror}") from error
    if not hold(held, kind, _PATIENCE):
        os.close(held)
        raise Conflict("the disk is in use", hint="Wait until its box has ended or its snapshot is taken.")
    if not _is_still(root, held):
        os.close(held)
        raise Conflict("the volume was removed meanwhile")
    return held


def _open(root: pathlib.Path) -> int:
    return os.open(root / NAME, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def hold(descriptor: int, kind: int, patience: float) -> bool:
    """Lock an open file (`fcntl.LOCK_…`) within `patience` seconds; return whether it came to that."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def _is_still(root: pathlib.Path, held: int) -> bool:
    """Say whether the file that was locked is the volume's, not that of one renamed away in between."""
    try:
        return os.path.samestat((root / NAME).lstat(), os.fstat(held))
    except FileNotFoundError:
        return False
