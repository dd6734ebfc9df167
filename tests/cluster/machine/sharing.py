"""Who uses the machine's one cluster: workers of a run of tests, several runs, and a person who wants it to stay."""

from __future__ import annotations

import json
import os
import pathlib

import attrs

from gpudev_services.up.processes import start_time


@attrs.frozen(kw_only=True)
class State:
    """What is written down of a cluster that is up."""

    programs: str
    up_since: float
    #: Processes by pid and start time.
    users: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    #: Stays up when nobody uses it.
    detached: bool = False

    def joined(self, user: str | None) -> State:
        """Return it with one more user; None is a person who leaves it up."""
        if user is None:
            return attrs.evolve(self, detached=True)
        return attrs.evolve(self, users=(*self.left(user).living(), user))

    def left(self, user: str) -> State:
        """Return it without a user."""
        return attrs.evolve(self, users=tuple(one for one in self.users if one != user))

    def living(self) -> tuple[str, ...]:
        """Return the users that have not ended."""
        return tuple(one for one in self.users if one == _described(int(one.split()[0])))


def read(file: pathlib.Path) -> State:
    """Return what is written in a file."""
    return State(**json.loads(file.read_text()))


def myself() -> str:
    """Return this process as a user."""
    return _described(os.getpid())


def _described(pid: int) -> str:
    return f"{pid} {start_time(pid)}"
