"""The attacker of the trial box: it tries what no box may do, and says what it managed."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any

from gpudev_sdk.local.identity import start_time
from gpudev_sdk.local.inside.begin import give_up

_MS_REMOUNT_BIND = 32 | 4096


def main() -> None:
    """Try everything that the file of the descriptor in argv names; print what worked as JSON."""
    with open(int(sys.argv[1]), "rb") as file:  # noqa: PTH123
        prey: dict[str, Any] = json.load(file)
    give_up(prey["uid"], alone=True)
    print(json.dumps([what for what, attack in _attacks(prey).items() if _works(attack)]))  # noqa: T201


def _works(attack: Callable[[], object]) -> bool:
    try:
        return bool(attack())
    except (OSError, ValueError):
        return False


def _attacks(prey: dict[str, Any]) -> dict[str, Callable[[], object]]:
    return {
        "reads a file of gpudev's own": lambda: pathlib.Path(prey["file"]).read_bytes(),
        "lists gpudev's data folder": lambda: pathlib.Path(prey["file"]) in pathlib.Path(prey["folder"]).iterdir(),
        "reads a file of another home": lambda: pathlib.Path(prey["home"]).read_bytes(),
        "reaches a socket of the database's kind": lambda: _connects(prey["socket"]),
        "sees processes of others": lambda: start_time(prey["pid"]) == prey["start"],
        "shares a process namespace": lambda: os.stat("/proc/self/ns/pid").st_ino == prey["namespace"],  # noqa: PTH116
        "writes /etc": lambda: _writes("/etc/gpudev-trial"),
        "writes /usr": lambda: _writes("/usr/gpudev-trial"),
        "writes kernel settings": lambda: _writes("/proc/sys/kernel/core_pattern", create=False),
        "remounts /": lambda: ctypes.CDLL(None).mount(None, b"/", None, _MS_REMOUNT_BIND, None) == 0,
        "becomes root": _becomes_root,
        "makes a device": _makes_device,
        "keeps capabilities": lambda: _status("CapEff") != 0 or _status("CapPrm") != 0,
        "may gain privileges": lambda: _status("NoNewPrivs") != 1,
        "cannot write its own home": lambda: not _writes("/home/dev/trial"),
        "can write /run/gpudev": lambda: _writes("/run/gpudev/trial"),
    }


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    return True


def _writes(path: str, *, create: bool = True) -> bool:
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | (os.O_CREAT if create else 0), 0o600))
        return True
    return False


def _makes_device() -> bool:
    os.mknod("/tmp/trial", stat.S_IFBLK | 0o600, os.makedev(8, 0))
    return True


def _becomes_root() -> bool:
    os.setresuid(0, 0, 0)
    return True


def _status(field: str) -> int:
    text = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.partition(f"{field}:")[2].split()[0], 16)
