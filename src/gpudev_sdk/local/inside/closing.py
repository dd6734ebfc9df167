"""Ends a box from inside: everything in it is asked to end, and what was written goes to the disk."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time

from gpudev_sdk.local.inside.children import Children
from gpudev_sdk.local.inside.descent import descendants

#: How long programs have to end of their own accord, and then after they were hung up on, as shells want it.
_ASKED, _HUNG_UP = 0.5, 5.5


async def close_box(children: Children, *, alone: bool) -> None:
    """Ask everything in the box to end, wait a while for it, and write the home's filesystem out.

    `alone` says that the box has its own pid namespace, which ends with us whatever is left in it.
    """
    for number, patience in ((signal.SIGTERM, _ASKED), (signal.SIGHUP, _HUNG_UP)):
        _send_all(number, alone=alone)
        _send_all(signal.SIGCONT, alone=alone)
        deadline = time.monotonic() + patience
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
