"""Starts programs of a box and reaps everything that ends in it, as an init must."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Ended = Callable[[int], None]
#: What this program handles or ignores and its children must not.
_DEFAULTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ)


class Children:
    """The programs started here, each with whom to tell when it ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: dict[int, Ended] = {}
        loop.add_signal_handler(signal.SIGCHLD, self.reap)

    def start(self, argv: list[str], env: Mapping[str, str], streams: list[tuple[int, int]], ended: Ended) -> int:
        """Start `argv` in a session of its own, with the descriptors `streams` says (here, there); return its pid.

        `argv[0]` begins with `-` for a login shell.
        """
        actions = [(os.POSIX_SPAWN_DUP2, here, there) for here, there in streams]
        return self._spawn(argv, env, actions, ended)

    def start_on_terminal(self, argv: list[str], env: Mapping[str, str], tty: str, ended: Ended) -> int:
        """Start `argv` in a session of its own whose terminal is `tty`; return its pid."""
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, tty, os.O_RDWR, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, 0, there) for there in (1, 2)]
        return self._spawn(argv, env, actions, ended)

    def _spawn(self, argv: list[str], env: Mapping[str, str], actions: Sequence[tuple[Any, ...]], ended: Ended) -> int:
        program = env["SHELL"]
        # The open of the terminal comes after setsid, so it becomes the session's own.
        pid = os.posix_spawn(program, argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTS)
        self._waiting[pid] = ended
        return pid

    def reap(self) -> bool:
        """Take in what has ended; return whether anything is left that may end."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            told = self._waiting.pop(pid, None)
            if told is not None:
                told(os.waitstatus_to_exitcode(status))
