"""Ends a box from inside: everything in it is asked to end, and what was written goes to the disk."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time

from gpudev_sdk.local.inside.children import Children
from gpudev_sdk.local.inside.descent import descendants

#: Well below the stop allowance, so that there is time to sync.
_PATIENCE = 6.0


async def close_box(children: Children, *, alone: bool) -> None:
    """Hang up and end everything in the box, wait a while for it, and write the home's filesystem out.

    `alone` says that the box has its own pid namespace, which ends with us whatever is left in it.
    """
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
        _send_all(number, alone=alone)
    deadline = time.monotonic() + _PATIENCE
    while children.reap() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    if not alone:
        _send_all(signal.SIGKILL, alone=False)
    _sync_home()


def _send_all(number: signal.Signals, *, alone: bool) -> None:
    if alone:
        try:
            os.kill(-1, number)
        except ProcessLookupError:
            return
    else:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def _sync_home() -> None:
    home = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    ctypes.CDLL(None).syncfs(home)
    os.close(home)
