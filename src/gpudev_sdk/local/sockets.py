"""Where the sockets of boxes are: folders that only we enter, with paths that fit into a socket's address."""

from __future__ import annotations

import hashlib
import os
import pathlib
import socket
import stat

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater, Unworkable

#: `sun_path` without its final zero.
_LONGEST = 107
_BACKLOG = 128


def path_for(data_folder: pathlib.Path, server_id: ServerId) -> pathlib.Path:
    """Return the socket of a box: in the data folder, or in a short folder of ours where that is too long."""
    name = hashlib.sha256(str(server_id).encode()).hexdigest()[:16]
    path = data_folder / "ssh" / name
    if len(os.fsencode(path)) <= _LONGEST:
        return path
    mark = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:16]
    place = "/run" if os.geteuid() == 0 else "/tmp"
    return pathlib.Path(place, f"gpudev-{os.geteuid()}-{mark}", name)


def listen(path: pathlib.Path) -> socket.socket:
    """Return a socket that listens at `path`; its folder is 0700 and ours, or this is refused."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _check_folder(path.parent)
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(path))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise TryLater(f"{path} cannot be made: {error.strerror or error}") from error
    return listening


def remove(path: pathlib.Path) -> None:
    """Remove a box's socket, and its folder when it was the last there."""
    try:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    except OSError:
        # Others are in there, or it went with a reboot: both are fine, and what matters was the socket.
        if path.exists():
            raise


def greets(path: pathlib.Path, within: float) -> bool:
    """Say whether an SSH server answers at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(within)
        try:
            client.connect(str(path))
            return client.recv(8).startswith(b"SSH-2.0")
        except OSError:
            return False


def _check_folder(folder: pathlib.Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise Unworkable(
            f"{folder} is not a folder of ours that nobody else may enter",
            hint=f"Remove it, or see who made it: ls -ld {folder}",
        )
