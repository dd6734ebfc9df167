"""The first program in a box: it waits at the gate, gives up what it does not need, and becomes the SSH server.

Started as root it is root with no power but to become someone else, which is the first thing it does.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import sys
from typing import Any

_CAPABILITY_VERSION = 0x20080522
_SET_NO_NEW_PRIVS, _SET_SUBREAPER = 38, 36


def main() -> None:
    """Begin the box that argv describes: the numbers of the gate, the configuration, and every descriptor to keep."""
    gate, configuration, *kept = map(int, sys.argv[1:])
    if os.read(gate, 1) != b"1":
        os._exit(3)
    with open(configuration, "rb") as file:  # noqa: PTH123
        config: dict[str, Any] = json.load(file)
    _close_others(set(kept))
    give_up(config["uid"], alone=config["alone"])
    os.chdir(config["home"])
    os.umask(0o022)
    # asyncssh looks for libraries that it can do without by running a compiler, in every box anew.
    ctypes.util.find_library = _find_nothing
    # Loaded only now, with nothing left to misuse.
    from gpudev_sdk.local.inside.server import serve

    serve(config)


def _find_nothing(name: str) -> None:
    return None


def _close_others(kept: set[int]) -> None:
    for number in kept:
        os.set_inheritable(number, False)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the descriptor of the listing itself


def give_up(uid: int, *, alone: bool) -> None:
    """Become `uid` for good, if root; never gain anything again.

    `alone` says that the box has its own pid namespace; otherwise whatever its programs leave behind comes to us.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_capabilities(libc)
    _ask(libc, _SET_NO_NEW_PRIVS, 1)
    if not alone:
        _ask(libc, _SET_SUBREAPER, 1)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Keep none, inheritable ones included; becoming another user took only those in force."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _ask(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
