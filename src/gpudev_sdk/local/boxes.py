"""What is written down of each box on this machine: one folder an attempt, and tombstones.

Everything about a box is written before it is done, so that whoever comes after a crash finds it. The kernel keeps the
one thing that must never lie: `lock` is held by whatever of a box is alive (its launch, its supervisor, its init, its
sweeper), so a free lock means that nothing of it runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import attrs

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.local.durable import sync_folder, write_whole
from gpudev_sdk.local.identity import Process

#: At least an hour is promised; a host clock stepped by some hours must not shorten that.
TOMBSTONE_LASTS = 24 * 3600.0
INTENT, SUPERVISOR, INIT, ENDED, STOPPING = ("intent", "supervisor", "init", "ended", "stopping")
#: In the order in which they are removed; what makes the folder a box goes last.
_PASSING = (STOPPING, ENDED, INIT, SUPERVISOR)


@attrs.frozen(kw_only=True)
class Intent:
    """What launch is about to do, written first."""

    boot: str
    uid: int
    isolation: str
    socket: str
    #: The root of the disk's volume; empty for a throw-away home.
    volume: str
    created_at: float
    #: Control groups made for it.
    groups: tuple[str, ...] = ()


@attrs.frozen
class Box:
    """The folder of one attempt's box."""

    server_id: ServerId
    folder: pathlib.Path

    @property
    def run(self) -> pathlib.Path:
        """What the box sees as /run/gpudev."""
        return self.folder / "run"

    @property
    def scratch(self) -> pathlib.Path:
        """What belongs to the box's uid: its /tmp and, without a disk, its home."""
        return self.folder / "scratch"

    @property
    def etc(self) -> pathlib.Path:
        """The files that we make for the box's /etc."""
        return self.folder / "etc"

    @property
    def lock(self) -> pathlib.Path:
        """What is held by whatever of the box is alive."""
        return self.folder / "lock"

    @property
    def log(self) -> pathlib.Path:
        """What supervisor, sandbox and SSH server say."""
        return self.folder / "log"

    @property
    def ready(self) -> pathlib.Path:
        """Where the SSH server says that it listens."""
        return self.folder / "ready"

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a record, or None if there is none; raise TryLater when it cannot be told."""
        path = self.folder / f"{name}.json"
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TryLater(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise TryLater(f"{path} is damaged: {error}", hint=f"Look at {self.folder}.") from error
        return dict(found)

    def write(self, name: str, record: dict[str, Any]) -> None:
        """Write a record that lasts."""
        write_whole(self.folder / f"{name}.json", json.dumps(record).encode())

    def intent(self) -> Intent | None:
        """Return what launch was about to do."""
        found = self.read(INTENT)
        if found is None:
            return None
        # Written by this version or by another: what it does not know is left out.
        known = {field.name: found[field.name] for field in attrs.fields(Intent) if field.name in found}
        return Intent(**known | {"groups": tuple(found.get("groups", ()))})

    def process(self, name: str) -> Process | None:
        """Return the identity that a record holds."""
        found = self.read(name)
        return None if found is None else Process(found["boot"], found["pid"], found["start"])

    def forget_run(self) -> None:
        """Remove the records of an earlier run of this attempt, so that it may be launched again after a reboot."""
        for name in _PASSING:
            (self.folder / f"{name}.json").unlink(missing_ok=True)
        self.ready.unlink(missing_ok=True)

    def take_lock(self) -> int | None:
        """Lock the box and return the descriptor that holds it, or None while anything of it is alive."""
        return self._flock(fcntl.LOCK_EX)

    def is_quiet(self) -> bool:
        """Say whether nothing of the box is alive."""
        held = self._flock(fcntl.LOCK_SH)
        if held is None:
            return False
        os.close(held)
        return True

    def _flock(self, kind: int) -> int | None:
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


class Shelf:
    """The folder of all boxes of one install on one backend."""

    def __init__(self, data_folder: pathlib.Path, install_id: uuid.UUID) -> None:
        self._root = data_folder / "boxes" / str(install_id)
        self._graves = data_folder / "tombstones" / str(install_id)
        self._seen: tuple[int, int] | None = None

    def open(self) -> pathlib.Path:
        """Return the folder of boxes, made at first use.

        Raises TryLater where it was seen before and now is not, or is another: a data folder that was emptied or
        unmounted says nothing about what runs.
        """
        try:
            if self._seen is None:
                for folder in (self._root, self._graves):
                    folder.parent.mkdir(mode=0o700, exist_ok=True)
                    folder.mkdir(mode=0o700, exist_ok=True)
            found = self._root.lstat()
        except OSError as error:
            raise TryLater(f"{self._root} cannot be seen: {error.strerror}", hint="Is it mounted?") from error
        seen = (found.st_dev, found.st_ino)
        if self._seen not in (None, seen):
            raise TryLater(f"{self._root} is not what it was", hint="Was the data folder emptied or unmounted?")
        self._seen = seen
        return self._root

    def find(self, server_id: ServerId) -> Box | None:
        """Return the box if there is anything of it."""
        box = self.at(server_id)
        return box if box.folder.is_dir() else None

    def at(self, server_id: ServerId) -> Box:
        """Return where a box is or would be."""
        return Box(server_id, self.open() / str(server_id))

    def all(self) -> tuple[Box, ...]:
        """Return every box there is anything of."""
        root = self.open()
        try:
            names = sorted(path.name for path in root.iterdir())
        except OSError as error:
            raise TryLater(f"{root} cannot be listed: {error.strerror}") from error
        return tuple(Box(server_id, root / name) for name in names for server_id in _parsed(name))

    def bury(self, server_id: ServerId) -> None:
        """Leave a tombstone that outlasts a crash, and clear away old ones."""
        self.open()
        grave = self._grave(server_id)
        if grave.exists():
            return
        try:
            grave.touch(mode=0o600)
            sync_folder(self._graves)
        except OSError as error:
            raise TryLater(f"{grave} cannot be written: {error.strerror}") from error
        self._clear_graves()

    def is_buried(self, server_id: ServerId) -> bool:
        """Say whether this attempt was ended and may never be launched."""
        self.open()
        return self._grave(server_id).exists()

    def grave_of(self, server_id: ServerId) -> pathlib.Path:
        """Return where the tombstone is or would be."""
        return self._grave(server_id)

    def _grave(self, server_id: ServerId) -> pathlib.Path:
        return self._graves / str(server_id)

    def _clear_graves(self) -> None:
        old = time.time() - TOMBSTONE_LASTS
        for grave in self._graves.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if grave.stat().st_mtime < old and not (self._root / grave.name).exists():
                    grave.unlink()


def _parsed(name: str) -> Iterator[ServerId]:
    with contextlib.suppress(ValueError):
        yield ServerId.parse(name)
