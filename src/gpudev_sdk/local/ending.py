"""Ends one box and removes all that its launch made, a step at each call, until nothing is left."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time

from gpudev_sdk import fault
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.local import cgroups, holders, identity, locks, marked, sockets
from gpudev_sdk.local.boxes import INIT, INTENT, STOPPING, SUPERVISOR, Box, Intent, Shelf
from gpudev_sdk.local.interpreter import find_interpreter
from gpudev_sdk.local.isolation import SANDBOX
from gpudev_sdk.local.sweeping import sweep

#: How long a box may take to end by itself before it is made to.
STOP_ALLOWANCE = 10.0


def end(shelf: Shelf, server_id: ServerId, boot: str) -> None:
    """Do the next thing towards the end of a box; the first of all is the tombstone."""
    shelf.bury(server_id)
    fault.point("local.terminate.buried")
    box = shelf.find(server_id)
    if box is None:
        return
    try:
        intent = box.intent()
        if intent is not None and intent.boot == boot and _is_still_ending(box, intent, boot):
            return
        _remove(box, intent)
    except OSError as error:
        raise TryLater(f"the box cannot be removed: {error.strerror or error}") from error


def _is_still_ending(box: Box, intent: Intent, boot: str) -> bool:
    """Ask what lives of the box to end, or make it; return whether anything does."""
    number = signal.SIGKILL if _is_overdue(box, boot) else signal.SIGTERM
    init = box.process(INIT)
    if init is not None and identity.send(init, boot, number):
        return True
    if init is None and number is signal.SIGKILL and _end_unfinished(box, boot):
        return True
    if not box.is_quiet():
        return True
    return intent.isolation != SANDBOX and marked.end(box.run)


def _end_unfinished(box: Box, boot: str) -> bool:
    """Kill what hangs before the gate, where nothing of a person has begun; return whether there was anything."""
    supervisor = box.process(SUPERVISOR)
    if supervisor is not None and identity.send(supervisor, boot, signal.SIGKILL):
        return True
    return holders.end_unfinished(box.lock, boot)


def _is_overdue(box: Box, boot: str) -> bool:
    """Say whether the stop allowance is over; it begins at the first call."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    asked = box.read(STOPPING)
    if asked is None or asked["boot"] != boot:
        box.write(STOPPING, {"boot": boot, "asked_at": now})
        return False
    return bool(now - asked["asked_at"] >= STOP_ALLOWANCE)


def _remove(box: Box, intent: Intent | None) -> None:
    """Remove what is left of a box in which nothing lives; what takes long is left to a process of its own."""
    lock = box.take_lock()
    if lock is None:
        return
    try:
        if intent is not None and intent.volume and not locks.is_free(pathlib.Path(intent.volume)):
            return
        if box.scratch.is_dir():
            _sweep(box, os.geteuid() if intent is None else intent.uid, lock)
            return
        fault.point("local.terminate.swept")
        if intent is not None:
            cgroups.remove(intent.groups)
            sockets.remove(pathlib.Path(intent.socket))
        _remove_records(box)
    finally:
        os.close(lock)


def _sweep(box: Box, uid: int, lock: int) -> None:
    log = os.open(box.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        sweep(find_interpreter().command("sweeping", str(box.folder), str(uid)), lock, log)
    finally:
        os.close(log)


def _remove_records(box: Box) -> None:
    """Remove our own files, that which makes it a box last."""
    for folder in (box.run, box.etc):
        with contextlib.suppress(FileNotFoundError):
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    for path in box.folder.iterdir():
        if path.name not in (f"{INTENT}.json", "lock"):
            path.unlink()
    (box.folder / f"{INTENT}.json").unlink(missing_ok=True)
    (box.folder / "lock").unlink(missing_ok=True)
    box.folder.rmdir()
