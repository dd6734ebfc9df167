"""Who controls this machine's boxes: a file outside every database, replaced only by whoever knows its content."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import uuid

from gpudev_sdk.domain.server import Claim
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.local.durable import write_whole

NAME = "claim.json"


def read(folder: pathlib.Path) -> Claim | None:
    """Return the claim, or None if there never was one; raise when it cannot be told."""
    path = folder / NAME
    try:
        plain = json.loads(path.read_bytes())
        return Claim(
            install_id=uuid.UUID(plain["install_id"]),
            control_plane_id=uuid.UUID(plain["control_plane_id"]),
            epoch=int(plain["epoch"]),
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TryLater(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unworkable(f"{path} is damaged", hint=f"Remove it if no other gpudev runs boxes here: {path}") from error


def write(folder: pathlib.Path, new: Claim, expected: Claim | None) -> None:
    """Replace `expected` by `new`; raise Conflict if another claim is there."""
    plain = {
        "install_id": str(new.install_id),
        "control_plane_id": str(new.control_plane_id),
        "epoch": new.epoch,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / f"{NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = read(folder)
            if found != expected:
                raise Conflict(f"the claim on this machine is another: {found}")
            write_whole(folder / NAME, json.dumps(plain).encode())
        finally:
            os.close(lock)
    except OSError as error:
        raise TryLater(f"the claim in {folder} cannot be written: {error.strerror}") from error
