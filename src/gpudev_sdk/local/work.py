"""Work in progress in the folder of disks: starts `jobs`, and tells a living one from one that died.

Each piece of work has a folder `work/NAME`, a lock beside it that its process holds, and a note beside it if it failed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
import subprocess
import sys
import threading
from typing import Any

import attrs

from gpudev_sdk.errors import TryLater
from gpudev_sdk.local.jobs import FAILURE, LOCK, TRASH
from gpudev_sdk.local.locks import hold

_START = "import sys; sys.path.append(sys.argv.pop(1)); from gpudev_sdk.local import jobs; jobs.main()"


@attrs.frozen(kw_only=True)
class Failure:
    """Why a piece of work failed; `off` when doing it again is useless, `about` the volume it was on."""

    reason: str
    off: bool
    about: str
    at: float


def is_alive(folder: pathlib.Path) -> bool:
    """Say whether a process works on `folder`."""
    try:
        lock = os.open(_beside(folder, LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not hold(lock, fcntl.LOCK_SH, 0.0)
    finally:
        os.close(lock)


def find_failure(folder: pathlib.Path) -> Failure | None:
    """Return why the work on `folder` failed, or None if it did not."""
    note = _beside(folder, FAILURE)
    try:
        plain = json.loads(note.read_bytes())
        return Failure(reason=plain["reason"], off=plain["off"], about=plain["about"], at=note.stat().st_mtime)
    except FileNotFoundError:
        return None
    except ValueError:
        return Failure(reason="it failed, and so did noting why", off=False, about="", at=0.0)


def forget(folder: pathlib.Path) -> None:
    """Remove what is left beside a piece of work that is over."""
    for suffix in (LOCK, FAILURE):
        _beside(folder, suffix).unlink(missing_ok=True)


def begin(folder: pathlib.Path, job: dict[str, Any], keep: tuple[int, ...] = ()) -> None:
    """Start the work on `folder`; its process holds the work's lock while it lives, and what `keep` names while it reads."""
    lock = os.open(_beside(folder, LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not hold(lock, fcntl.LOCK_EX, 0.25):
            raise TryLater("the same work is going on already")
        _start(folder.parent, job | {"held": keep}, (lock, *keep))
    finally:
        os.close(lock)


def put_away(folder: pathlib.Path, trash: pathlib.Path) -> None:
    """Rename what is to be removed so that nothing takes it for a disk; `clear` removes it."""
    with contextlib.suppress(FileNotFoundError):
        folder.rename(trash / f"{TRASH}{folder.name}-{secrets.token_hex(4)}")


def clear(work: pathlib.Path) -> None:
    """Start removing what was put away."""
    if any(work.glob(f"{TRASH}*")):
        _start(work, {"kind": "clear", "folder": str(work)}, ())


def put_away_dead(work: pathlib.Path) -> None:
    """Put away what earlier processes left half made."""
    for folder in work.iterdir():
        if folder.is_dir() and not folder.name.startswith(TRASH) and not is_alive(folder):
            put_away(folder, work)
            _beside(folder, LOCK).unlink(missing_ok=True)


def _beside(folder: pathlib.Path, suffix: str) -> pathlib.Path:
    return folder.with_name(folder.name + suffix)


def _start(work: pathlib.Path, job: dict[str, Any], keep: tuple[int, ...]) -> None:
    """Start a detached process; a thread waits for it so that it leaves no zombie."""
    packages = pathlib.Path(__file__).parents[2]
    command = [sys.executable, "-I", "-S", "-c", _START, str(packages), json.dumps(job)]
    with (work / "jobs.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=keep,
            start_new_session=True,
            cwd="/",
            env={},
        )
    threading.Thread(target=process.wait, name="gpudev-disk-job", daemon=True).start()
