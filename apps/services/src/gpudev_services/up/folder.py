"""The data folder of an install: what lies where, who may see it, and that only one `up` uses it."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import pwd
import secrets
import tempfile
import uuid

import attrs

from gpudev_sdk.errors import ConfigError, Conflict, StoreError

#: A Unix socket's path holds 107 bytes; names are added to the folder's.
LONGEST_SOCKET = 100
CONTROL_PLANE = "control-plane.json"


@attrs.frozen
class DataFolder:
    """Where an install keeps what is its own. `root` is 0700, and so is all in it."""

    root: pathlib.Path

    @property
    def run(self) -> pathlib.Path:
        """What lives as long as a running `up`."""
        return self.root / "run"

    @property
    def process_file(self) -> pathlib.Path:
        """Which process is up, so that `down` finds it."""
        return self.run / "up.json"

    @property
    def log(self) -> pathlib.Path:
        """What a detached `up` writes."""
        return self.root / "log" / "gpudev.log"

    @property
    def config(self) -> pathlib.Path:
        """The configuration that is read when none is named."""
        return self.root / "config.toml"

    @property
    def database(self) -> pathlib.Path:
        """The embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def ssh(self) -> pathlib.Path:
        """The host CA and the gateway's key."""
        return self.root / "ssh"

    @property
    def tls(self) -> pathlib.Path:
        """The certificate authority of an install that listens wider than its machine."""
        return self.root / "tls"

    def backend(self, name: str) -> pathlib.Path:
        """What one backend keeps on this machine."""
        return self.root / "backends" / name

    def prepare(self) -> None:
        """Make the folders; raise ConfigError if the place cannot be used."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
            if found.st_uid != os.geteuid():
                raise ConfigError(
                    f"{self.root} belongs to {_name(found.st_uid)}",
                    hint="Start gpudev as its owner, or give another folder with --data.",
                )
            if found.st_mode & 0o077:
                self.root.chmod(found.st_mode & 0o700)
            for folder in (self.run, self.log.parent, self.ssh, self.root / "backends"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{self.root} cannot be used: {error.strerror}", hint="Give a folder of your own with --data."
            ) from error

    def lock(self) -> int:
        """Become the only `up` here; the lock ends with the process. Raises Conflict."""
        descriptor = os.open(self.root / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Conflict(f"gpudev is up in {self.root} already", hint="Use it, or stop it: gpudev down.") from error
        return descriptor

    def socket_path(self) -> pathlib.Path:
        """Return where the local API listens; a path too long for a socket goes to a short private folder."""
        usual, pointer = self.run / "api.sock", self.run / "api.path"
        if len(str(usual).encode()) <= LONGEST_SOCKET:
            pointer.unlink(missing_ok=True)
            return usual
        if pointer.exists():
            known = pathlib.Path(pointer.read_text(encoding="utf-8").strip())
            if known.parent.is_dir() and known.parent.stat().st_uid == os.geteuid():
                return known
        made = pathlib.Path(tempfile.mkdtemp(prefix="gpudev-api-")) / "api.sock"
        write_private(pointer, f"{made}\n".encode())
        return made

    def gateway_port(self) -> int | None:
        """Return the port that the gateway had last, where any free one will do."""
        path = self.root / "gateway.port"
        text = path.read_text(encoding="ascii").strip() if path.exists() else ""
        return int(text) if text.isdigit() else None

    def note_gateway_port(self, port: int) -> None:
        """Remember the gateway's port."""
        write_private(self.root / "gateway.port", f"{port}\n".encode())

    def control_plane_id(self) -> uuid.UUID:
        """Return who we are among control planes: kept here, not in the database, so that a copy of that is found out."""
        path = self.root / CONTROL_PLANE
        if path.exists():
            try:
                return uuid.UUID(json.loads(path.read_text(encoding="utf-8"))["id"])
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(f"{path} is damaged", hint="Put it back from a backup of the folder.") from error
        made = uuid.uuid4()
        write_private(path, json.dumps({"id": str(made)}).encode())
        return made

    def nonce_secret(self) -> bytes:
        """Return the key that login nonces are made with."""
        path = self.root / "nonce.key"
        if not path.exists():
            write_private(path, secrets.token_bytes(32))
        return path.read_bytes()


def write_private(path: pathlib.Path, content: bytes) -> None:
    """Write a file that only we can read, whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    pathlib.Path(temporary).replace(path)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
