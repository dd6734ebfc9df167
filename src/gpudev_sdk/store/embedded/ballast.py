"""Space that is kept back, so that PostgreSQL can recover when something else has filled the filesystem."""

from __future__ import annotations

import contextlib
import os
import pathlib

import attrs

SIZE = 64 * 1024**2


@attrs.frozen
class Ballast:
    """One file of a fixed size that holds nothing."""

    path: pathlib.Path
    size: int = SIZE

    def short(self) -> bool:
        """Say whether less is free than the ballast would give."""
        return self._free() < self.size

    def release(self) -> bool:
        """Give the space up if it is short; return whether there was any to give."""
        if not self.short():
            return False
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True

    def keep(self) -> None:
        """Take the space again once there is plenty; leave it when there is not."""
        if self.path.exists() or self._free() < 4 * self.size:
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)
        except OSError:
            # Somebody else took the space meanwhile.
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        finally:
            os.close(descriptor)

    def _free(self) -> int:
        seen = os.statvfs(self.path.parent)
        return seen.f_bavail * seen.f_frsize
