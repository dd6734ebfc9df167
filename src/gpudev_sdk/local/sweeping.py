"""Removes what belonged to an ended box's user, as that user, in a process of its own.

Started by `ending`; it holds the box's lock while it works. Its program is `main`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from gpudev_sdk.local.removing import empty
from gpudev_sdk.local.trees import find_entry

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def sweep(command: list[str], lock: int, log: int) -> None:
    """Start the sweeper and leave it to itself; the next look shows what it did, and the box's log what it could not."""
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(lock,),
        start_new_session=True,
        cwd="/",
        env={},
    ).wait()


def main() -> None:
    """Empty and remove the folder `scratch` in the folder that argv names, as the uid that argv names."""
    folder, uid = sys.argv[1], int(sys.argv[2])
    if os.fork():
        os._exit(0)
    root = os.open(folder, _FOLDER)
    scratch = find_entry("scratch", root)
    child = os.fork()
    if child == 0:
        os._exit(_empty_as(uid, scratch))
    os.waitpid(child, 0)
    os.rmdir("scratch", dir_fd=root)


def _empty_as(uid: int, scratch: int) -> int:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    try:
        empty(scratch)
    except OSError as error:
        sys.stderr.write(f"cannot remove what the box left: {error}\n")
        return 1
    return 0
