"""Makes disks and snapshots of the test driver slow or failing, for one disk or for all; read anew at each call."""

from __future__ import annotations

import contextlib
import json
import pathlib
import uuid
from collections.abc import Iterator

import attrs

#: A snapshot that is never ready.
NEVER = -1.0


@attrs.frozen(kw_only=True)
class Trouble:
    """What goes wrong. An empty message is no error."""

    #: Seconds after its making that a snapshot is ready; NEVER is possible.
    ready_after: float = 0
    snapshot_error: str = ""
    disk_error: str = ""
    delete_error: str = ""


@attrs.frozen
class Disks:
    """The folder of the test driver."""

    folder: pathlib.Path

    @contextlib.contextmanager
    def trouble(self, trouble: Trouble, volume: str = "all") -> Iterator[None]:
        """Let trouble be until the end of the block, with one disk (a claim's `spec.volumeName`) or with all others."""
        file = self.folder / "wishes" / f"{volume}.json"
        # The driver must not read half a file.
        part = file.with_name(f".{uuid.uuid4().hex}")
        part.write_text(json.dumps(attrs.asdict(trouble)))
        part.rename(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def bytes_of(self, volume: str) -> pathlib.Path:
        """Return the folder that pods see as a disk."""
        return self.folder / "disks" / volume / "bytes"

    def names(self) -> list[str]:
        """Return the disks that there are."""
        return _names(self.folder / "disks")

    def snapshots(self) -> list[str]:
        """Return the snapshots that there are."""
        return _names(self.folder / "snapshots")


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
