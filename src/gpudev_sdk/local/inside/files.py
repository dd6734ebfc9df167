"""sftp in a box: the box's own files, as the box's own user."""

from __future__ import annotations

import os
import stat

import asyncssh

_MEMORY_DEVICES = 1


class Files(asyncssh.SFTPServer):
    """asyncssh's server, with an exit status, and without files that would never be opened."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a file; what may block for ever, such as a FIFO, is refused, as it would block the whole box."""
        self._check(path)
        return super().open(path, pflags, attrs)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a file, as `open` does."""
        self._check(path)
        return super().open56(path, desired_access, flags, attrs)

    def exit(self) -> None:
        """Say that all went well: without it `scp` ends with status 1."""
        self.channel.exit(0)

    def _check(self, path: bytes) -> None:
        try:
            found = os.stat(self.map_path(path))  # noqa: PTH116
        except OSError:
            return
        if stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == _MEMORY_DEVICES:
            return
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise asyncssh.SFTPFailure("not a regular file")
