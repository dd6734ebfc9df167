"""The folder of disks: found out when it is not the one we made, so that an empty mount point never becomes a disk.

    DISKS/disks.json            whose it is
    DISKS/volumes/ID/           marker.json, lock, home/
    DISKS/snapshots/ID/         marker.json, snapshot.json, home/
    DISKS/work/                 what is being made, what failed, what is being removed

That it was ever made is also written in the data folder, which lies elsewhere if an operator so wishes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import uuid
from collections.abc import Iterator

from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.local.durable import sync_folder, write_whole
from gpudev_sdk.local.locks import hold
from gpudev_sdk.local.markers import FOLDER

RECORD = "disks-made.json"
_PATIENCE = 5.0


class DisksFolder:
    """The one folder in which this install keeps disks."""

    def __init__(self, path: pathlib.Path, data_folder: pathlib.Path, install_id: uuid.UUID) -> None:
        self.path = path
        self.volumes = path / "volumes"
        self.snapshots = path / "snapshots"
        self.work = path / "work"
        self._record = data_folder / RECORD
        self._install_id = install_id
        self._was_there = False

    def is_there(self) -> bool:
        """Return True if it is there and ours, False if none was ever made; raise for everything in between."""
        try:
            # In this order: another process may be making it, the marker first and the record after.
            made = self._was_there or self._record.exists()
            owner = self._owner()
            if owner is None and made:
                raise self._not_mounted()
            if owner is None and self._holds_something():
                owner = self._owner()
                if owner is None:
                    raise self._not_ours()
        except OSError as error:
            raise TryLater(f"the folder of disks {self.path} cannot be read: {error.strerror}") from error
        if owner is None:
            return False
        if owner != self._install_id:
            raise Unworkable(
                f"the folder of disks {self.path} belongs to another install",
                hint="Set `disks` in the configuration to a folder of this install's own.",
            )
        self._was_there = True
        return True

    def _owner(self) -> uuid.UUID | None:
        try:
            return uuid.UUID(json.loads((self.path / FOLDER).read_bytes())["install_id"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Unworkable(
                f"{self.path / FOLDER} is damaged", hint="Restore that file; no disk is touched."
            ) from error

    def _holds_something(self) -> bool:
        if not self.path.exists():
            return False
        names = {entry.name for entry in self.path.iterdir()} - {"lost+found"}
        return not all(name.startswith(f".{FOLDER}.") for name in names)

    def _not_mounted(self) -> TryLater:
        return TryLater(
            f"the folder of disks {self.path} is not the one this install made: is it mounted?",
            hint="Mount it, or set `disks` in the configuration to where it is now.",
            delay=15.0,
        )

    def _not_ours(self) -> Unworkable:
        return Unworkable(
            f"the folder of disks {self.path} is not empty and not ours",
            hint="Set `disks` in the configuration to an empty folder.",
        )

    def ensure(self) -> None:
        """Make the folder if none was ever made; raise unless it is there and ours."""
        try:
            if not self.is_there():
                self.path.mkdir(mode=0o700, exist_ok=True)
                write_whole(self.path / FOLDER, json.dumps({"install_id": str(self._install_id)}).encode())
                self._was_there = True
            if not self._record.exists():
                write_whole(self._record, json.dumps({"folder": str(self.path)}).encode())
            for inner in (self.volumes, self.snapshots, self.work):
                inner.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.path)
        except FileNotFoundError as error:
            raise TryLater(
                f"the folder of disks {self.path} cannot be made: its parent is not there",
                hint="Is its filesystem mounted? Otherwise make the parent folder.",
            ) from error
        except OSError as error:
            raise TryLater(f"the folder of disks {self.path} cannot be made: {error.strerror}") from error

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder for a moment while something in it is made, renamed or put away."""
        self.ensure()
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not hold(lock, fcntl.LOCK_EX, _PATIENCE):
                raise TryLater(f"the folder of disks {self.path} is busy")
            yield
        finally:
            os.close(lock)
