"""One session of a person in a box: a shell, a command or sftp, on a terminal or on pipes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from typing import Any

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from gpudev_sdk.local.inside.children import Children
from gpudev_sdk.local.inside.files import Files
from gpudev_sdk.local.inside.pump import Reader, Writer
from gpudev_sdk.local.inside.terminals import open_terminal, resize, show

_ACCEPTED = re.compile(rb"(LANG|LC_[A-Z]{1,20})\Z")
_SCP = re.compile(r"scp( -[a-zA-Z-]+)* -[a-zA-Z]*[tf]")
_SCP_PROGRAM = "/usr/bin/scp"
_SIGNALS = signal.Signals
#: How long the output of a program that was hung up on is still taken.
_LEAVE = 5.0


def _serve_files(channel: Any) -> Files:
    return Files(channel)


class Desk:
    """What the sessions of a box share."""

    def __init__(self, children: Children, env: Mapping[str, str]) -> None:
        self.children = children
        self.env = env
        #: What every terminal is told at login; empty for nothing.
        self.notice = ""
        self.terminals: set[str] = set()


class Session(SSHServerStreamSession[bytes]):
    """Serves sftp through asyncssh, and everything else by a program of the box."""

    _chan: Any

    def __init__(self, desk: Desk) -> None:
        super().__init__(None, _serve_files, 3, allow_scp=not os.path.exists(_SCP_PROGRAM))  # noqa: PTH110
        self._desk = desk
        self._pid: int | None = None
        self._status: int | None = None
        self._terminal: tuple[int, int] | None = None
        self._tty = ""
        self._input: Writer | None = None
        self._outputs: list[Reader] = []

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        """Give every session that asks a terminal of its own."""
        self._terminal = open_terminal(dict(term_modes), term_size)
        self._tty = os.ttyname(self._terminal[1])
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Resize the terminal, which tells the program in it."""
        if self._terminal is not None and self._outputs and self._outputs[0].is_open:
            resize(self._terminal[0], (width, height, pixwidth, pixheight))

    def shell_requested(self) -> bool:
        """Allow a shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Allow every command; scp of old is asyncssh's where the box has no such program."""
        self._allow_scp = self._allow_scp and _SCP.match(command) is not None
        return True

    def session_started(self) -> None:
        """Start what was asked for."""
        command = self._chan.get_command()
        if self._chan.get_subsystem() == "sftp" or (command and self._allow_scp):
            super().session_started()
            return
        shell = self._desk.env["SHELL"]
        name = shell.rpartition("/")[2]
        argv = [f"-{name}"] if command is None else [name, "-c", command]
        try:
            if self._terminal is not None:
                self._start_on_terminal(argv, self._terminal)
            else:
                self._start_on_pipes(argv)
        except OSError as error:
            self._send(f"gpudev: {shell} cannot be started: {error.strerror}\r\n".encode())
            self._chan.exit(126)

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Hand the program what the client sent."""
        if self._input is None:
            super().data_received(data, datatype)
        else:
            self._input.write(data)

    def eof_received(self) -> bool:
        """Tell the program on pipes that no more comes; a terminal has its own way of saying so."""
        if self._input is None:
            return super().eof_received()
        if self._terminal is None:
            self._input.end()
        return True

    def signal_received(self, signal: str) -> None:
        """Send the program's process group what the client asked for."""
        self._kill(getattr(_SIGNALS, f"SIG{signal}", None))

    def break_received(self, msec: int) -> bool:
        """Interrupt, as a break on a serial line would."""
        self._kill(_SIGNALS.SIGINT)
        return True

    def pause_writing(self) -> None:
        """Read no more output while the client takes none."""
        super().pause_writing()
        for output in self._outputs:
            output.pause()

    def resume_writing(self) -> None:
        """Read on."""
        super().resume_writing()
        for output in self._outputs:
            output.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hang up: what the session left in its process group hears of it."""
        super().connection_lost(exc)
        self._kill(_SIGNALS.SIGHUP)
        if self._terminal is not None or self._pid is None:
            self._let_go()
            return
        # What it still says goes nowhere, but a broken pipe would end it before it has taken leave.
        if self._input is not None:
            self._input.close()
        for output in self._outputs:
            output.resume()
        asyncio.get_running_loop().call_later(_LEAVE, self._let_go)

    def _start_on_terminal(self, argv: list[str], terminal: tuple[int, int]) -> None:
        ours, theirs = terminal
        env = self._env() | {"SSH_TTY": self._tty, "TERM": self._chan.get_terminal_type() or "dumb"}
        self._desk.terminals.add(self._tty)
        if self._desk.notice and argv[0].startswith("-"):
            show(self._desk.notice, [self._tty])
        self._pid = self._desk.children.start_on_terminal(argv, env, self._tty, self._ended)
        os.close(theirs)
        self._input = Writer(os.dup(ours), self._chan.pause_reading, self._chan.resume_reading)
        self._outputs = [Reader(ours, self._send, self._finish)]

    def _start_on_pipes(self, argv: list[str]) -> None:
        (stdin, ours_in), (ours_out, stdout), (ours_err, stderr) = os.pipe(), os.pipe(), os.pipe()
        streams = [(stdin, 0), (stdout, 1), (stderr, 2)]
        try:
            self._pid = self._desk.children.start(argv, self._env(), streams, self._ended)
        except OSError:
            for descriptor in (ours_in, ours_out, ours_err):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (stdin, stdout, stderr):
                os.close(descriptor)
        self._input = Writer(ours_in, self._chan.pause_reading, self._chan.resume_reading)
        self._outputs = [
            Reader(ours_out, self._send, self._finish),
            Reader(ours_err, self._send_error, self._finish),
        ]

    def _send(self, data: bytes, datatype: int | None = None) -> None:
        try:
            self._chan.write(data, datatype)
        except BrokenPipeError:
            return  # the client has closed its end; we hear of that in a moment

    def _send_error(self, data: bytes) -> None:
        self._send(data, asyncssh.EXTENDED_DATA_STDERR)

    def _env(self) -> dict[str, str]:
        given = {name: value for name, value in self._chan.get_environment_bytes().items() if _ACCEPTED.match(name)}
        env = dict(self._desk.env) | {name.decode(): value.decode(errors="replace") for name, value in given.items()}
        agent = self._chan.get_agent_path()
        return env if agent is None else env | {"SSH_AUTH_SOCK": agent}

    def _ended(self, status: int) -> None:
        self._status = status
        if self._terminal is not None:
            # As sshd does: what still uses the terminal loses it, as its session is over.
            self._outputs[0].drain()
        self._finish()

    def _finish(self) -> None:
        """Report the end once the program has ended and its output is out."""
        if self._status is None or any(output.is_open for output in self._outputs):
            return
        if self._status < 0:
            name = _SIGNALS(-self._status).name.removeprefix("SIG")
            self._chan.exit_with_signal(name, False, "")
        else:
            self._chan.exit(self._status)
        self._pid = None
        self._let_go()

    def _let_go(self) -> None:
        self._desk.terminals.discard(self._tty)
        if self._input is not None:
            self._input.close()
        elif self._terminal is not None:
            for descriptor in self._terminal:
                os.close(descriptor)
        for output in self._outputs:
            output.close()
        self._terminal = None

    def _kill(self, number: signal.Signals | None) -> None:
        if self._pid is None or number is None:
            return
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return
