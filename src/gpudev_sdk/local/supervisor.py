"""The process beside each box: it starts the sandbox, writes down who is in it, opens the gate, and notes the end.

Started by launch, it belongs to nobody and outlives gpudev. Killed before the gate is open, the sandbox finds it closed and
ends; killed later, the box goes on, and only the note of how it ended is missing. (bubblewrap's own `--die-with-parent` is
not used: killed between two of its steps it leaves a child that waits for ever.) It holds the box's lock and the disk's
lock, as does the box's init. Nothing is loaded after the start, so gpudev may be replaced under it; and it loads little, as
every box pays for it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from gpudev_sdk.local.identity import Process, boot_id, identify, open_pidfd

#: Stand in the command for descriptors that are made here.
GATE, REPORT = "@gate", "@report"
#: Boxes are the first to go when the machine runs out of memory.
_OOM_SCORE = "300"


def main() -> None:
    """Run the box that argv describes: folder, tombstone, groups, descriptors to hand on, then the command."""
    Watch.begin(sys.argv[1:]).run_in_sandbox()


class Watch:
    """One box, from its start to its end."""

    def __init__(self, words: list[str]) -> None:
        self.folder, self.grave, groups, descriptors, *self.command = words
        self.groups = [group for group in groups.split("\n") if group]
        self.handed_on = [int(word) for word in descriptors.split(",")]
        self.boot = boot_id()

    @classmethod
    def begin(cls, words: list[str]) -> Watch:
        """Leave the caller, and write down who watches."""
        if os.fork():
            os._exit(0)
        os.umask(0o077)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        watch = cls(words)
        watch.write("supervisor", watch.fields(os.getpid()))
        return watch

    def run_in_sandbox(self) -> None:
        """Run the command, which reports the sandbox's init and waits at the gate; return when all of it has ended."""
        report, reporting = os.pipe()
        gate, opener = os.pipe()
        # It holds the reading end too: a report that nobody reads must not stop it before it has found the gate closed.
        child = self.start({GATE: gate, REPORT: reporting}, report)
        os.close(gate)
        os.close(reporting)
        init = self._reported(report)
        if init is None:
            self.note_end(f"its sandbox could not be made ({wait_for(child)})")
            return
        self.open_gate(opener, init)
        how = wait_for(child)
        self._wait_for_init(init)
        self.note_end(how)

    def start(self, made: dict[str, int], *also: int) -> int:
        """Start the command in its control groups and return its pid."""
        command = [str(made[word]) if word in made else word for word in self.command]
        child = os.fork()
        if child:
            return child
        try:
            for number in (*self.handed_on, *made.values(), *also):
                os.set_inheritable(number, True)
            for group in self.groups:
                _put(group, "0")
            _put("/proc/self/oom_score_adj", _OOM_SCORE)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.execve(command[0], command, {})
        except OSError as error:
            os.write(2, f"the sandbox cannot be started: {error}\n".encode())
        finally:
            os._exit(127)

    def open_gate(self, opener: int, init: Process) -> None:
        """Write down who the init is, and only then let it begin; a box that was ended meanwhile never begins."""
        self.write("init", f'{_fields(init)}, "started_at": {time.time()}')
        if not os.path.exists(self.grave):  # noqa: PTH110
            os.write(opener, b"1")
        os.close(opener)

    def note_end(self, how: str) -> None:
        """Leave how it ended, with the last line of the box's log."""
        self.write("ended", f'"reason": "{_plain(how)}", "log": "{_plain(_last_line(self.folder))}"')

    def fields(self, pid: int) -> str:
        """Return the record of a process that cannot have ended yet."""
        process = identify(pid, self.boot)
        return "" if process is None else _fields(process)

    def write(self, name: str, fields: str) -> None:
        """Write a record that lasts; by hand, as loading a JSON library would cost every box a megabyte."""
        beside = f"{self.folder}/.{name}.supervisor"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.write(descriptor, f"{{{fields}}}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(beside, f"{self.folder}/{name}.json")  # noqa: PTH104
        place = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(place)
        os.close(place)

    def _reported(self, report: int) -> Process | None:
        """Return the init that the sandbox reports, or None if there is no sandbox."""
        text = b""
        while b"}" not in text:
            chunk = os.read(report, 4096)
            if not chunk:
                return None
            text += chunk
        os.close(report)
        pid = int(text.partition(b'"child-pid"')[2].partition(b":")[2].replace(b"}", b",").partition(b",")[0])
        return identify(pid, self.boot)

    def _wait_for_init(self, init: Process) -> None:
        """Wait for the init itself, as the process that started it may have been killed alone."""
        pidfd = open_pidfd(init, self.boot)
        if pidfd is not None:
            select.select([pidfd], [], [])


def wait_for(child: int) -> str:
    """Wait for a child and return how it ended, in words."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def _fields(process: Process) -> str:
    return f'"boot": "{process.boot}", "pid": {process.pid}, "start": {process.start}'


def _put(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def _last_line(folder: str) -> str:
    log = os.open(f"{folder}/log", os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(log).st_size
        lines = os.pread(log, 2000, max(0, size - 2000)).decode(errors="replace").split("\n")
    finally:
        os.close(log)
    return next((line for line in reversed(lines) if line.strip()), "")


def _plain(text: str) -> str:
    return "".join(letter for letter in text if " " <= letter <= "~" and letter not in '"\\')[:400]
