"""Removes a person's files: follows nothing, stays on one filesystem, and goes as deep as they went.

Run by `jobs` as the box's own uid in a process of its own, so it imports the standard library and `trees` alone.
"""

from __future__ import annotations

import contextlib
import os
import stat

from gpudev_sdk.local.trees import MAX_DEPTH, find_entry, names_in, opened_folder

_ALL = stat.S_IRWXU


def empty(folder: int) -> None:
    """Remove everything in the folder that `folder` names (O_PATH); raise OSError for the first thing that stays."""
    with opened_folder(folder, rights=_ALL) as top:
        removal = _Removal(top)
        while removal.sweep(top, 0):
            pass
    if removal.stayed is not None:
        raise removal.stayed


class _Removal:
    def __init__(self, top: int) -> None:
        self._top = top
        self._device = os.fstat(top).st_dev
        self._moved = 0
        self.stayed: OSError | None = None

    def sweep(self, folder: int, depth: int) -> bool:
        """Remove what is in a folder; return whether another sweep may find more."""
        self.stayed = None if depth == 0 else self.stayed
        removed = 0
        for name in names_in(folder):
            try:
                removed += self._remove(name, folder, depth)
            except OSError as error:
                self.stayed = self.stayed or error
        return removed > 0 and bool(names_in(folder))

    def _remove(self, name: str, folder: int, depth: int) -> int:
        entry = find_entry(name, folder)
        try:
            status = os.fstat(entry)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=folder)
                return 1
            with contextlib.suppress(OSError):
                # An empty one goes even where it may not be looked into: a launch that was killed leaves one of root's.
                os.rmdir(name, dir_fd=folder)
                return 1
            if status.st_dev != self._device:
                raise OSError(f"{name!r} is another filesystem")
            with opened_folder(entry, rights=_ALL) as inner:
                if depth >= MAX_DEPTH // 2:
                    return self._lift(name, folder)
                while self.sweep(inner, depth + 1):
                    pass
            os.rmdir(name, dir_fd=folder)
            return 1
        finally:
            os.close(entry)

    def _lift(self, name: str, folder: int) -> int:
        """Move a folder that lies too deep up to the top, from where it is removed in its turn."""
        self._moved += 1
        os.rename(name, f".deep-{os.getpid()}-{self._moved}", src_dir_fd=folder, dst_dir_fd=self._top)
        return 1
