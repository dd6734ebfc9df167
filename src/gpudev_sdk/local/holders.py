"""Finds sandboxes that hang before their first program runs: bubblewrap that still holds a box's lock."""

from __future__ import annotations

import pathlib
import signal

from gpudev_sdk.local import identity
from gpudev_sdk.local.sandbox import find_bwrap


def end_unfinished(lock: pathlib.Path, boot: str) -> bool:
    """Kill every bubblewrap that has this lock open; return whether there was any."""
    bwrap = find_bwrap()
    found = False
    for path in pathlib.Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        process = identity.identify(int(path.name), boot)
        # Looked at once it is known who it is, so that no other of that pid is meant.
        if process is not None and bwrap is not None and _is_program(path, bwrap) and _has_open(path, lock):
            found = identity.send(process, boot, signal.SIGKILL) or found
    return found


def _is_program(process: pathlib.Path, program: str) -> bool:
    try:
        return (process / "exe").samefile(program)
    except OSError:
        return False


def _has_open(process: pathlib.Path, file: pathlib.Path) -> bool:
    try:
        return any(_is_same(descriptor, file) for descriptor in (process / "fd").iterdir())
    except OSError:
        return False


def _is_same(descriptor: pathlib.Path, file: pathlib.Path) -> bool:
    try:
        return descriptor.samefile(file)
    except OSError:
        return False
