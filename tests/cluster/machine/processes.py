"""The cluster's processes: started with a log and a pid file, known by pid and start time, stopped in order.

They outlive the Python process that starts them: a cluster stays up between two commands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import attrs

from gpudev_services.up.processes import start_time
from tests.cluster.machine import cgroups
from tests.cluster.machine.layout import Layout

#: Writes itself into the cgroup and becomes the program, so that its first child is in it too.
_ENTER = 'echo $$ > "$0" && exec "$@"'
TAIL = 3000


class DidNotStart(Exception):
    """A part of the cluster did not come up; the message has the end of its log."""


@attrs.frozen
class Processes:
    """What runs of a cluster, by name."""

    layout: Layout

    def start(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Start a process unless it runs."""
        if self.pid(name):
            return
        log = self.layout.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            started = subprocess.Popen(
                ["/bin/sh", "-c", _ENTER, str(cgroups.place(self.layout.cgroup)), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.layout.folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        file = self.layout.pid(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{started.pid} {start_time(started.pid)}\n")
        # Its end is asked of /proc; Python must not warn that nobody waited for it.
        started.returncode = 0

    def pid(self, name: str) -> int | None:
        """Return a process's pid if it runs."""
        try:
            pid, began = self.layout.pid(name).read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        _reap(int(pid))
        return int(pid) if str(start_time(int(pid))) == began else None

    def names(self) -> list[str]:
        """Return what runs."""
        folder = self.layout.pid("any").parent
        return [path.name for path in sorted(folder.glob("*")) if self.pid(path.name)]

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process; one that does not run gets none."""
        pid = self.pid(name)
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

    def stop(self, names: list[str], patience: float) -> None:
        """End processes together; those that have not ended after some seconds are killed."""
        for name in names:
            self.signal(name, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while any(self.pid(name) for name in names) and time.monotonic() < deadline:
            time.sleep(0.02)
        for name in names:
            self.kill(name)

    def kill(self, name: str) -> None:
        """Kill a process, and wait until it is gone."""
        self.signal(name, signal.SIGKILL)
        while self.pid(name):
            time.sleep(0.01)
        self.layout.pid(name).unlink(missing_ok=True)

    def wait(self, name: str, ready: Callable[[], bool], patience: float) -> None:
        """Wait until a process answers; raise with its log when it has ended or takes too long."""
        deadline = time.monotonic() + patience
        while not ready():
            if not self.pid(name):
                raise DidNotStart(f"{name} has ended:\n{self.tail(name)}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{name} is not ready after {patience:.0f} s:\n{self.tail(name)}")
            time.sleep(0.05)

    def tail(self, name: str) -> str:
        """Return the end of a process's log."""
        log = self.layout.log(name)
        return log.read_text(errors="replace")[-TAIL:] if log.exists() else "(no log)"


def _reap(pid: int) -> None:
    """Take the end of a child of ours; a child of another Python process is its to take."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
