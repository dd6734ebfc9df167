"""Files of ours: secret ones that are made once and kept, and others that are replaced whole."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Callable

PRIVATE = 0o600


def make_folder(path: pathlib.Path) -> None:
    """Make a folder that only its owner can enter; an existing one keeps its mode."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_once(path: pathlib.Path, make: Callable[[], bytes]) -> bytes:
    """Return a file's content, made (0600) if it is not there; if several make it at once, all get the same."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    make_folder(path.parent)
    temporary = _write_beside(path, make())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
            _sync_folder(path.parent)
    finally:
        temporary.unlink()
    return path.read_bytes()


def replace(path: pathlib.Path, content: bytes, mode: int = PRIVATE, owner: tuple[int, int] | None = None) -> None:
    """Put a file in place whole or not at all, whatever was there."""
    make_folder(path.parent)
    temporary = _write_beside(path, content, mode)
    try:
        if owner not in (None, (os.geteuid(), os.getegid())):
            os.chown(temporary, *owner)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    _sync_folder(path.parent)


def _write_beside(path: pathlib.Path, content: bytes, mode: int = PRIVATE) -> pathlib.Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _sync_folder(path: pathlib.Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
