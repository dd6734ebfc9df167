"""Copies a person's home whole: modes, times, user attributes, holes and hard links; follows nothing, opens no FIFO.

Run by `jobs` as the box's own uid in a process of its own, so it imports the standard library and `trees` alone. What
cannot be read fails the copy, so a completed one never lacks a file; sockets, device nodes and other filesystems that
are mounted below are no content of the disk and are left out.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import NamedTuple

from gpudev_sdk.local.trees import MAX_DEPTH, TooMuch, amount, find_entry, names_in, opened_folder

_FICLONE = 0x40049409
_CHUNK = 16 * 1024 * 1024
#: How much is written between two looks at the free space.
_LOOK_EVERY = 64 * 1024 * 1024
_NOT_HERE = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY)


class Bounds(NamedTuple):
    """How much a copy may write, how many entries it may have, and what it leaves free."""

    bytes: int
    entries: int
    floor: int


class Copied(NamedTuple):
    """What a copy came to: the content's bytes, also where the filesystem shares them, and the entries."""

    bytes: int
    entries: int
    left_out: int


def clone(source: int, target: int) -> bool:
    """Share a file's blocks; return whether the filesystem did."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


class TreeCopy:
    """One copy of a tree, with what it has counted so far.

    `links` is an empty folder beside the copy: files with several names are made there and linked from it.
    """

    def __init__(self, device: int, links: int, bounds: Bounds, *, sharing: bool) -> None:
        self._device = device
        self._links = links
        self._bounds = bounds
        self._sharing = sharing
        self._unlooked = 0
        self._depth = 0
        self._written = 0
        self.bytes = 0
        self.entries = 0
        self.left_out = 0

    def folder(self, entry: int, target: int) -> None:
        """Fill the open folder `target` with what the folder that `entry` names holds; then give it mode and times."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooMuch(f"folders are nested more than {MAX_DEPTH} deep")
        before = os.fstat(entry)
        with opened_folder(entry, rights=stat.S_IRUSR | stat.S_IXUSR) as source:
            with os.scandir(source) as found:
                for one in found:
                    self._entry(one.name, source, target)
            _dress(source, target, before)
        self._depth -= 1

    def _entry(self, name: str, source: int, target: int) -> None:
        self.entries += 1
        if self.entries > self._bounds.entries:
            raise TooMuch(f"it has more than {self._bounds.entries} files")
        entry = find_entry(name, source)
        try:
            status = os.fstat(entry)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFLNK:
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
                os.utime(name, ns=_times(status), dir_fd=target, follow_symlinks=False)
            elif kind == stat.S_IFDIR:
                self._subfolder(name, entry, status, target)
            elif kind == stat.S_IFREG and status.st_dev == self._device:
                self._linked_file(name, entry, status, target)
            elif kind == stat.S_IFIFO:
                os.mkfifo(name, stat.S_IMODE(status.st_mode), dir_fd=target)
                os.utime(name, ns=_times(status), dir_fd=target, follow_symlinks=False)
            else:
                self.left_out += 1
        finally:
            os.close(entry)

    def _subfolder(self, name: str, entry: int, status: os.stat_result, target: int) -> None:
        os.mkdir(name, 0o700, dir_fd=target)
        if status.st_dev != self._device:
            self.left_out += 1
            return
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
        try:
            self.folder(entry, inner)
        finally:
            os.close(inner)

    def _linked_file(self, name: str, entry: int, status: os.stat_result, target: int) -> None:
        if status.st_nlink == 1:
            self._file(name, entry, status, target)
            return
        first = str(status.st_ino)
        if not _exists(first, self._links):
            self._file(first, entry, status, self._links)
        os.link(first, name, src_dir_fd=self._links, dst_dir_fd=target, follow_symlinks=False)

    def _file(self, name: str, entry: int, status: os.stat_result, target: int) -> None:
        source = _open_file(entry, status)
        self.bytes += min(status.st_size, status.st_blocks * 512)
        try:
            copy = os.open(
                name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target
            )
            try:
                if not (self._sharing and clone(source, copy)):
                    self._content(source, copy, status.st_size)
                _dress(source, copy, status)
            finally:
                os.close(copy)
        finally:
            os.close(source)

    def _content(self, source: int, copy: int, size: int) -> None:
        """Copy what is written of a file; its holes stay holes."""
        position = 0
        while position < size:
            try:
                position = os.lseek(source, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break
            end = os.lseek(source, position, os.SEEK_HOLE)
            while position < end:
                self._count(min(_CHUNK, end - position), copy)
                moved = _move(source, copy, position, min(_CHUNK, end - position))
                if not moved:
                    raise OSError(errno.EIO, "a file became shorter while it was copied")
                position += moved
        os.ftruncate(copy, size)

    def _count(self, more: int, copy: int) -> None:
        self._written += more
        self._unlooked += more
        if self._written > self._bounds.bytes:
            raise TooMuch(f"it is over {amount(self._bounds.bytes)}")
        if self._unlooked > _LOOK_EVERY:
            self._unlooked = 0
            space = os.fstatvfs(copy)
            if space.f_bavail * space.f_frsize < self._bounds.floor:
                raise OSError(errno.ENOSPC, "the free space fell below the floor")


def copy_tree(home: int, target: int, links: int, bounds: Bounds, *, sharing: bool) -> Copied:
    """Copy what the folder that `home` names (O_PATH) holds into the open folder `target`."""
    copy = TreeCopy(os.fstat(home).st_dev, links, bounds, sharing=sharing)
    copy.folder(home, target)
    for name in names_in(links):
        os.unlink(name, dir_fd=links)
    return Copied(copy.bytes, copy.entries, copy.left_out)


def _open_file(entry: int, status: os.stat_result) -> int:
    """Open a file for reading; its owner may have taken away their own right to (mode 000)."""
    path, flags = f"/proc/self/fd/{entry}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IRUSR or os.geteuid() == 0 or status.st_uid != os.geteuid():
        return os.open(path, flags)
    os.chmod(path, mode | stat.S_IRUSR)  # noqa: PTH101
    try:
        return os.open(path, flags)
    finally:
        os.chmod(path, mode)  # noqa: PTH101


def _move(source: int, copy: int, position: int, count: int) -> int:
    try:
        return os.copy_file_range(source, copy, count, position, position)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    return os.pwrite(copy, os.pread(source, min(count, 1024 * 1024), position), position)


def _dress(source: int, copy: int, status: os.stat_result) -> None:
    """Give the copy the attributes, the mode and the times of what it is a copy of."""
    for name in _attributes(source):
        if name.startswith("user."):
            os.setxattr(copy, name, os.getxattr(source, name))
    os.fchmod(copy, stat.S_IMODE(status.st_mode))
    os.utime(copy, ns=_times(status))


def _attributes(source: int) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_atime_ns, status.st_mtime_ns


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
