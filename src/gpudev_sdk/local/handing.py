"""Hands things to a box: bytes that are in no argv, and folders that become its user's."""

from __future__ import annotations

import contextlib
import os
import pathlib


def memory_file(content: bytes, held: contextlib.ExitStack) -> int:
    """Return a descriptor from which `content` can be read once; `held` closes it."""
    descriptor = os.memfd_create("gpudev", os.MFD_CLOEXEC)
    held.callback(os.close, descriptor)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def own_folder(path: pathlib.Path, uid: int, mode: int = 0o700) -> None:
    """Make a folder that belongs to the box's user."""
    path.mkdir(mode=0o700, exist_ok=True)
    give(path, uid)
    path.chmod(mode)


def give(path: pathlib.Path, uid: int) -> None:
    """Make something the box's user's, where we may."""
    if os.geteuid() == 0:
        os.chown(path, uid, uid, follow_symlinks=False)
