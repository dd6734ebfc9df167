"""One postmaster: started in a session of its own, found again after our death, told apart from a stranger with its pid.

Signals go by pidfd, and only to a process that was seen to be the server of this very PGDATA after the pidfd was taken.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping

import attrs

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store.embedded import binaries
from gpudev_sdk.store.embedded.layout import PORT, Layout, usable

#: Recovery after a crash reads what was written since the last checkpoint.
LONGEST_START = 120.0
LOOK = 0.01
#: How a server is ended: in order, then at once, then by force; with the seconds that each gets.
ENDING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))

#: What must hold whatever postgresql.conf says. Failed statements are not logged with their text or their rows.
FIXED = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_parameter_max_length_on_error": "0",
    "restart_after_crash": "on",
    "full_page_writes": "on",
}


@attrs.define
class Postmaster:
    """A running server; `close` lets go of it without ending it."""

    pid: int
    handle: int
    child: subprocess.Popen[bytes] | None = None

    def wait(self, seconds: float | None, wake: int | None = None) -> bool:
        """Wait until it is gone, `seconds` are over, or `wake` is readable; return whether it is gone."""
        watched = select.poll()
        watched.register(self.handle, select.POLLIN)
        if wake is not None:
            watched.register(wake, select.POLLIN)
        ready = watched.poll(None if seconds is None else seconds * 1000)
        gone = any(descriptor == self.handle for descriptor, _ in ready)
        if gone and self.child is not None:
            self.child.wait()
        return gone

    def signal(self, number: int) -> None:
        """Send a signal; silent if it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def stop(self) -> None:
        """End it: in order, and if that takes too long at once; raise StoreError if it does not go at all."""
        for number, patience in ENDING:
            self.signal(number)
            if self.wait(patience):
                return
        raise StoreError(f"PostgreSQL (pid {self.pid}) does not end")

    def close(self) -> None:
        """Let go of it."""
        os.close(self.handle)


def command(layout: Layout, settings: Mapping[str, str]) -> list[str | pathlib.Path]:
    """Return how the server of a PGDATA is started."""
    place = '"' + str(layout.socket_folder()).replace('"', '""') + '"'
    options = FIXED | dict(settings) | {"unix_socket_directories": place}
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [binaries.program("postgres"), "-D", layout.data, *words]


def launch(layout: Layout, settings: Mapping[str, str]) -> Postmaster:
    """Start the server and return when it answers; raise StoreError with its own last words."""
    with usable(layout.folder):
        layout.make_socket_folder()
        _clear_stale(layout)
        log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        said = os.fstat(log).st_size
        child = subprocess.Popen(
            binaries.unprivileged(command(layout, settings)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.folder,
            env=binaries.ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
        )
    finally:
        os.close(log)
    started = Postmaster(child.pid, os.pidfd_open(child.pid), child)
    try:
        wait_ready(started, layout)
    except StoreError:
        if not started.wait(0):
            started.stop()
        started.close()
        text = _since(layout.log, said)
        raise StoreError(
            f"PostgreSQL does not start: {binaries.last_words(text)}",
            hint=binaries.next_step(text) or f"Look at {layout.log}.",
        ) from None
    return started


def wait_ready(server: Postmaster, layout: Layout) -> None:
    """Return when the server takes connections; raise StoreError if it ends or does not get there."""
    give_up = time.monotonic() + LONGEST_START
    while not server.wait(LOOK):
        lines = pid_file(layout)
        if len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready":
            return
        if time.monotonic() > give_up:
            break
    raise StoreError("PostgreSQL did not become ready")


def pid_file(layout: Layout) -> list[str]:
    """Return the lines of `postmaster.pid`: pid, folder, start, port, socket folder, address, shared memory, status."""
    try:
        return (layout.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def find(layout: Layout) -> Postmaster | None:
    """Return the running server of a PGDATA, or None. A process that only has its pid is not it."""
    lines = pid_file(layout)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    if _serves(pid, layout.data) and _words(pid)[1:2] == ["-D"]:
        return Postmaster(pid, handle)
    os.close(handle)
    return None


def same_program(server: Postmaster) -> bool:
    """Say whether a server runs the program that we would start."""
    return _program(server.pid) == binaries.program("postgres")


def _program(pid: int) -> pathlib.Path:
    """Return what a process runs; one that was replaced since has ` (deleted)` at its end."""
    return pathlib.Path(f"/proc/{pid}/exe").readlink()


def _serves(pid: int, data: pathlib.Path) -> bool:
    """Say whether a process is PostgreSQL at work in a PGDATA: its program, and the folder it lives in."""
    try:
        return pathlib.Path(f"/proc/{pid}/cwd").samefile(data) and _program(pid).name.startswith("postgres")
    except OSError:
        return False


def _words(pid: int) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _clear_stale(layout: Layout) -> None:
    """Remove the lock files of a server that is gone: their pid may be a stranger's by now, or a zombie that nobody reaps,
    and PostgreSQL would take either for a running server.

    Processes that outlived their postmaster are ended first, as it would have done: they still write.
    """
    for orphan in _orphans(layout.data):
        orphan.signal(signal.SIGQUIT)
        gone = orphan.wait(10.0)
        orphan.close()
        if not gone:
            raise StoreError(f"a process of an earlier PostgreSQL (pid {orphan.pid}) does not end")
    place = layout.socket_folder()
    for stale in (layout.data / "postmaster.pid", place / f".s.PGSQL.{PORT}.lock", place / f".s.PGSQL.{PORT}"):
        stale.unlink(missing_ok=True)


def _orphans(data: pathlib.Path) -> Iterator[Postmaster]:
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and _serves(int(entry.name), data):
            try:
                handle = os.pidfd_open(int(entry.name))
            except OSError:
                continue
            if _serves(int(entry.name), data):
                yield Postmaster(int(entry.name), handle)
            else:
                os.close(handle)


def _since(log: pathlib.Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read(64 * 1024).decode(errors="replace")
