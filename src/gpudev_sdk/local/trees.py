"""What copying and removing a person's files share: bounds, and folders opened without following anything.

Run by `jobs` as the box's own uid in a process of its own, so it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import NamedTuple

#: Folders within folders; every level keeps descriptors open.
MAX_DEPTH = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class TooMuch(Exception):
    """The tree is over a bound; the message says which."""


class Size(NamedTuple):
    """What is in a tree, as far as it was looked at; `whole` is false where something stopped the look."""

    bytes: int
    entries: int
    whole: bool


def amount(count: int) -> str:
    """Write a count of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def find_entry(name: str, folder: int) -> int:
    """Open whatever `name` is, without following it or needing any right to it; the descriptor only names it."""
    return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


@contextlib.contextmanager
def opened_folder(entry: int, *, rights: int) -> Iterator[int]:
    """Open a folder that `entry` names, for as long as the block lasts.

    An owner may have taken away their own rights to it (mode 000). Then it gets `rights` for that time and its own mode
    back at the end; a kill in between leaves it with more rights for its owner than before, and with every file.
    """
    mode = stat.S_IMODE(os.fstat(entry).st_mode)
    lacking = mode & rights != rights and os.geteuid() != 0
    if lacking:
        change_mode(entry, mode | rights)
    folder = os.open(f"/proc/self/fd/{entry}", _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)
        if lacking:
            change_mode(entry, mode)


def names_in(folder: int) -> list[str]:
    """List an open folder as it is now; btrfs lists through a descriptor what was there when it was opened."""
    fresh = os.open(".", _FOLDER, dir_fd=folder)
    try:
        return os.listdir(fresh)  # noqa: PTH208
    finally:
        os.close(fresh)


def change_mode(entry: int, mode: int) -> None:
    """Set the mode of what an O_PATH descriptor names; `fchmod` refuses those."""
    os.chmod(f"/proc/self/fd/{entry}", mode)  # noqa: PTH101


def measure(home: int, max_bytes: int, max_entries: int) -> Size:
    """Add up what the files of a tree occupy, up to the bounds; folders that cannot be read are left out."""
    look = _Look(os.fstat(home).st_dev, max_bytes, max_entries)
    try:
        look.folder(home, 0)
    except TooMuch:
        look.whole = False
    return Size(look.bytes, look.entries, look.whole)


def measure_home(home: pathlib.Path, max_bytes: int, max_entries: int) -> Size:
    """Measure a home by its path; one that cannot be opened measures nothing."""
    try:
        folder = os.open(home, _FOLDER | os.O_NOFOLLOW)
    except PermissionError:
        return Size(0, 0, whole=False)
    try:
        return measure(folder, max_bytes, max_entries)
    finally:
        os.close(folder)


class _Look:
    def __init__(self, device: int, max_bytes: int, max_entries: int) -> None:
        self._device = device
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self.bytes = 0
        self.entries = 0
        self.whole = True

    def folder(self, folder: int, depth: int) -> None:
        for name in os.listdir(folder):
            try:
                self._entry(name, folder, depth)
            except (PermissionError, FileNotFoundError):
                self.whole = False

    def _entry(self, name: str, folder: int, depth: int) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        self.entries += 1
        if stat.S_ISREG(status.st_mode):
            self.bytes += min(status.st_size, status.st_blocks * 512)
        if self.bytes > self._max_bytes or self.entries > self._max_entries or depth > MAX_DEPTH:
            raise TooMuch
        if stat.S_ISDIR(status.st_mode) and status.st_dev == self._device:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            try:
                self.folder(inner, depth + 1)
            finally:
                os.close(inner)
