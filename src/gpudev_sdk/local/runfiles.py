"""The files of a box's /run/gpudev: exactly those asked for, each whole, readable and not writable by the box."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import secrets
from collections.abc import Iterator, Mapping

from gpudev_sdk.domain.server import digest_files
from gpudev_sdk.errors import TryLater, Unworkable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_LIMIT = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_folder(path: pathlib.Path, group: int) -> None:
    """Make the folder, which the box may read and enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, 0, group)
        path.chmod(0o750)


def put_files(path: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Make the folder hold exactly `files`; each changes at once, and nothing but what differs is touched."""
    for name, content in files.items():
        if not _NAME.match(name) or len(content) > _LIMIT:
            raise Unworkable(f"{name[:40]!r} with {len(content)} bytes is not a file for /run/gpudev")
    try:
        with _opened(path) as folder:
            for name, content in files.items():
                if _read(name, folder) != content:
                    _put(name, content, folder)
            for name in set(os.listdir(folder)) - set(files):  # noqa: PTH208
                os.unlink(name, dir_fd=folder)
    except OSError as error:
        raise TryLater(f"{path} cannot be written: {error.strerror}") from error


def digest_of(path: pathlib.Path) -> str | None:
    """Return the digest of the files in place, or None if it cannot be told."""
    try:
        with _opened(path) as folder:
            names = [name for name in os.listdir(folder) if _NAME.match(name)]  # noqa: PTH208
            found = {name: _read(name, folder) for name in names}
    except OSError:
        return None
    present = {name: content for name, content in found.items() if content is not None}
    return digest_files(present) if len(present) == len(found) else None


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[int]:
    folder = os.open(path, _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


def _read(name: str, folder: int) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LIMIT + 1)


def _put(name: str, content: bytes, folder: int) -> None:
    beside = f".{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o400, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if os.geteuid() == 0:
                os.fchown(descriptor, 0, os.fstat(folder).st_gid)
                os.fchmod(descriptor, 0o440)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(beside, dir_fd=folder)
        raise
