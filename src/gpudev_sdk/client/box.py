"""A dev server as one works with it from Python: run, copy, forward, extend, and let go."""

from __future__ import annotations

import contextlib
import datetime as dt
import pathlib
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import attrs

from gpudev_sdk.client import shell
from gpudev_sdk.client.access import ensure_way
from gpudev_sdk.client.boxes import Box
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.forwarding import Forward
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict, GpudevError, TimedOut, Unavailable

Path = str | pathlib.Path


class CommandFailed(GpudevError):
    """A command in a box failed."""

    code = "command-failed"

    def __init__(self, message: str | None = None, *, result: RunResult | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.result = result


@attrs.frozen(kw_only=True)
class RunResult:
    """What a command in a box came to."""

    command: str
    exit_code: int
    stdout: str
    stderr: str


class DevServer:
    """A reservation and the box that it brings up. As a context manager it is released at the end, whatever happens."""

    def __init__(self, calls: Calls, reservation: Reservation, *, agent: bool = False) -> None:
        self._calls = calls
        self._agent = agent
        self._way: Box | None = None
        #: As it was when last looked at; `refresh` looks again.
        self.reservation = reservation

    def __enter__(self) -> Self:
        """Return the box itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it. When the body raised, a failure to release does not hide that."""
        if error is None:
            self.cancel()
        else:
            self.release_quietly()

    def __repr__(self) -> str:
        """Say which box, and how it is."""
        return f"<gpudev box {self.name}: {self.state}>"

    def _repr_html_(self) -> str:
        return self.reservation._repr_html_()

    @property
    def id(self) -> uuid.UUID:
        """The reservation's id."""
        return self.reservation.id

    @property
    def name(self) -> str:
        """What the box is called."""
        return self.reservation.name

    @property
    def state(self) -> str:
        """Where the reservation is in its life, as last seen."""
        return self.reservation.state

    @property
    def expires_at(self) -> dt.datetime | None:
        """When its time is up; None before it has started."""
        return self.reservation.expires_at

    @property
    def ssh_name(self) -> str:
        """What `ssh -F` with our file is given for it."""
        return self._get_way().alias

    def refresh(self) -> Self:
        """Look again how it is."""
        self.reservation = self._calls.show(str(self.id))
        return self

    def wait_ready(self, timeout: float | None = None, on_change: Callable[[Reservation], None] | None = None) -> Self:
        """Wait until the box is up and ssh finds it.

        Raises TimedOut after `timeout` seconds (the reservation stays), Conflict if it ended instead.
        """

        def is_up(view: Reservation) -> bool:
            self.reservation = view
            if on_change is not None:
                on_change(view)
            return view.state == "active"

        seen = self._calls.reached(str(self.id), is_up, timeout)
        if seen is None:
            raise TimedOut(f"{self.name} is not up yet", hint="It stays in line; call wait_ready again, or cancel.")
        self.reservation = seen
        if seen.state != "active":
            why = f": {seen.detail}" if seen.detail else ""
            raise Conflict(f"{self.name} ended ({seen.end_reason}){why}", hint="Reserve again.")
        self._get_way()
        return self

    def run(
        self, command: str | Sequence[str], *, timeout: float | None = None, check: bool = False, stdin: str = ""
    ) -> RunResult:
        """Run a command and return what came of it: a text goes to the shell of the box, a list arrives as it is.

        Raises TimedOut after `timeout` seconds (the command is hung up on), CommandFailed with `check` for an exit code
        other than 0, and Unavailable if the box cannot be reached.
        """
        text = command if isinstance(command, str) else shell.join(command)
        with tempfile.TemporaryDirectory(prefix="gpudev-") as folder:
            log = pathlib.Path(folder) / "ssh"
            line = shell.ssh(self._get_way(), "-T", "-E", str(log), "-o", "BatchMode=yes", command=text)
            done = self._do(line, timeout, stdin)
            if done.returncode == shell.SSH_FAILED and log.exists() and log.stat().st_size:
                raise self._unreached(log.read_text(encoding="utf-8", errors="replace"))
        result = RunResult(command=text, exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)
        if check and result.exit_code:
            raise CommandFailed(f"the command exited with {result.exit_code}: {_last(result.stderr)}", result=result)
        return result

    def upload(self, source: Path, target: str = ".", *, timeout: float | None = None) -> None:
        """Copy a file or folder into the box; relative targets and `~` count from its home."""
        way = self._get_way()
        self._copy(shell.scp(way, shell.local_path(str(source)), shell.box_path(way, target)), timeout)

    def download(self, source: str, target: Path = ".", *, timeout: float | None = None) -> None:
        """Copy a file or folder out of the box."""
        way = self._get_way()
        self._copy(shell.scp(way, shell.box_path(way, source), shell.local_path(str(target))), timeout)

    def forward(self, port: int, *, local_port: int = 0) -> Forward:
        """Make a port of the box one of this machine: `with box.forward(8888) as web: …  web.url`."""
        return Forward.open(self._get_way(), port, local_port)

    def extend(self, hours: float) -> Self:
        """Get more time."""
        self.reservation = self._calls.extend(str(self.id), hours)
        return self

    def cancel(self) -> Self:
        """Let it go; its disk stays. Asking again changes nothing."""
        with contextlib.suppress(Conflict):
            # It has ended by itself meanwhile.
            self.reservation = self._calls.cancel(str(self.id))
        return self

    def release_quietly(self) -> None:
        """Let it go while another error is on its way out, which this must not hide."""
        with contextlib.suppress(GpudevError):
            self.cancel()

    def _get_way(self) -> Box:
        if self._way is None:
            if self.reservation.ssh_name is None:
                self.refresh()
            self._way = ensure_way(self._calls, self.reservation, agent=self._agent)
        return self._way

    def _do(self, line: Sequence[str], timeout: float | None, stdin: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                line, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"it took longer than {timeout:g} s", hint="Give it a longer timeout, or none.") from error

    def _copy(self, line: Sequence[str], timeout: float | None) -> None:
        done = self._do(line, timeout, "")
        if done.returncode:
            raise CommandFailed(f"the copy failed: {_last(done.stderr)}", hint="See that both paths are there.")

    def _unreached(self, said: str) -> GpudevError:
        self.refresh()
        if self.state != "active":
            return Conflict(f"{self.name} is {self.reservation.end_reason or self.state}", hint="Reserve again.")
        self._way = None
        return Unavailable(f"{self.name} cannot be reached: {_last(said)}", hint="Try again in a moment.")


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:200] if lines else "it said nothing"
