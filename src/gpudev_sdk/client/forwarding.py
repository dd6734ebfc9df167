"""A port of a box on this machine, for as long as it is wanted."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Self

from gpudev_sdk.client import shell
from gpudev_sdk.client.boxes import Box
from gpudev_sdk.errors import InvalidRequest, Unavailable

HOST = "127.0.0.1"
SECONDS = 30.0


class Forward:
    """A forwarded port; closed by `close`, at the end of its `with`, and with this process's end of interest in it."""

    def __init__(self, process: subprocess.Popen[bytes], local_port: int, folder: str) -> None:
        self._process = process
        self._folder = folder
        #: The port of this machine.
        self.local_port = local_port

    @classmethod
    def open(cls, box: Box, port: int, local_port: int = 0) -> Forward:
        """Forward a port and return when it accepts connections; raise Unavailable if it cannot be."""
        for number in (port, local_port or 1):
            if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
                raise InvalidRequest("a port is a whole number from 1 to 65535", field="port", hint="For example 8888.")
        chosen = local_port or _free_port()
        folder = tempfile.mkdtemp(prefix="gpudev-")
        log = pathlib.Path(folder) / "ssh"
        # A connection of its own: a shared one would keep the port open after us.
        options = [
            "-N",
            "-E",
            str(log),
            "-o",
            "BatchMode=yes",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            "ControlPath=none",
        ]
        line = shell.ssh(box, *options, "-L", f"{HOST}:{chosen}:localhost:{port}")
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        made = cls(process, chosen, folder)
        try:
            made._wait(log)
        except BaseException:
            made.close()
            raise
        return made

    @property
    def url(self) -> str:
        """The forwarded port as a web address."""
        return f"http://{HOST}:{self.local_port}"

    def __enter__(self) -> Self:
        """Return the forward itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop forwarding."""
        if self._process.poll() is None:
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(FileNotFoundError):
            (pathlib.Path(self._folder) / "ssh").unlink()
            pathlib.Path(self._folder).rmdir()

    def _wait(self, log: pathlib.Path) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
                said = lines[-1][:200] if lines else "ssh said nothing"
                raise Unavailable(f"the port cannot be forwarded: {said}", hint="See that the box is up.")
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.local_port), timeout=1):
                return
            time.sleep(0.05)
        raise Unavailable("the port cannot be forwarded: ssh does not get there", hint="See that the box is up.")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        number: int = found.getsockname()[1]
        return number
