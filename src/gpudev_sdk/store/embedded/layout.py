"""What lies where in the folder of an embedded PostgreSQL. All of it is 0700 or 0600, and nothing above it is changed.

data/            PGDATA
initialised      when and as what `data` was made; while it is there, `data` is never made afresh
passwords/ROLE   a libpq passfile for each role
run/             the Unix socket, unless its path were too long: then it is in a short 0700 folder under /tmp, named after
                 this folder, or as `socket-folder` says where somebody else has that name
lock             held by whoever runs or changes this database
ballast          space that is given up when the filesystem is full
dumps/           dumps made before a migration
postgres.log     what the server said, bounded
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator

import attrs

from gpudev_sdk.errors import StoreError

PORT = 5432
#: What a socket's address holds, without its closing NUL.
LONGEST_SOCKET = 107


@attrs.frozen
class Layout:
    """The paths of one embedded PostgreSQL; `data_name` differs while a restore prepares the next PGDATA."""

    folder: pathlib.Path
    data_name: str = "data"

    @property
    def data(self) -> pathlib.Path:
        """PGDATA."""
        return self.folder / self.data_name

    @property
    def marker(self) -> pathlib.Path:
        """The note that `data` was made."""
        return self.folder / "initialised"

    @property
    def passwords(self) -> pathlib.Path:
        """The roles' passfiles."""
        return self.folder / "passwords"

    @property
    def log(self) -> pathlib.Path:
        """What the server said."""
        return self.folder / "postgres.log"

    @property
    def dumps(self) -> pathlib.Path:
        """Dumps made before a migration."""
        return self.folder / "dumps"

    def prepare(self) -> None:
        """Make the folders; raise StoreError if they cannot be used."""
        with usable(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_uid != os.geteuid():
                raise StoreError(
                    f"{self.folder} belongs to another user (uid {self.folder.stat().st_uid})",
                    hint="Start gpudev as its owner, or give another data folder.",
                )
            self.folder.chmod(0o700)
            for part in (self.passwords, self.dumps):
                part.mkdir(mode=0o700, exist_ok=True)

    def socket_folder(self) -> pathlib.Path:
        """Return where the socket is. The place outlives restarts, so that what connects to it needs no news of them."""
        usual = self.folder / "run"
        if len(os.fsencode(usual / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET:
            return usual
        if self._socket_note.exists():
            return pathlib.Path(self._socket_note.read_text(encoding="utf-8").strip())
        return pathlib.Path("/tmp") / f"gpudev-pg-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:20]}"

    @property
    def _socket_note(self) -> pathlib.Path:
        return self.folder / "socket-folder"

    def make_socket_folder(self) -> None:
        """Have the socket's folder, 0700 and ours; where somebody else took its name, choose another and note it."""
        place = self.socket_folder()
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
        if not is_private(place):
            made = tempfile.mkdtemp(prefix="gpudev-pg-", dir="/tmp")
            write_private(self._socket_note, f"{made}\n")

    def drop_socket_folder(self) -> None:
        """Leave nothing under /tmp while the server is down."""
        if self.socket_folder().parent != self.folder and is_private(self.socket_folder()):
            with contextlib.suppress(OSError):
                self.socket_folder().rmdir()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one to run or change this database. Raises StoreError."""
        descriptor = self.take_lock()
        try:
            yield
        finally:
            os.close(descriptor)

    def take_lock(self) -> int:
        """Take the lock until the returned descriptor is closed, or the process ends."""
        with usable(self.folder):
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StoreError(
                f"the database in {self.folder} is in use by another gpudev",
                hint="Use that one, or stop it first: gpudev down.",
            ) from error
        return descriptor


def is_private(folder: pathlib.Path) -> bool:
    """Say whether a folder is there, ours, and closed to everybody else."""
    try:
        seen = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and stat.S_IMODE(seen.st_mode) == 0o700


@contextlib.contextmanager
def usable(folder: pathlib.Path) -> Iterator[None]:
    """Translate what the system says of a folder that cannot be used."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be used: {(error.strerror or str(error)).lower()}",
            hint="Make it writable and give it space, or give another data folder.",
        ) from error


def write_private(path: pathlib.Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all, and safe from a power cut."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(temporary).replace(path)
    except OSError:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: pathlib.Path) -> None:
    """Make renames in a folder safe from a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
