"""The fixtures of the command line's tests: the stub of the API, and three ways to run a command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

import pexpect
import pytest

from gpudev_cli.main import run
from tests.unit.client.fixtures import calls, environ, places, room, stub

__all__ = ["calls", "environ", "places", "room", "stub"]


class Done(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def gpudev(environ, monkeypatch, capsys):
    """Run a command in this process, without a terminal."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        try:
            status = run([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = stopped.code
        return Done(status, *capsys.readouterr())

    return command


@pytest.fixture
def process(environ):
    """Start a command as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **more) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ, **more.pop("env", {})}
        line = [sys.executable, "-m", "gpudev_cli", *arguments]
        made = subprocess.Popen(line, env=env, text=True, **(pipes | more))
        started.append(made)
        return made

    yield start
    for made in started:
        if made.poll() is None:
            made.kill()
        made.communicate()


@pytest.fixture
def terminal(environ):
    """Start a command on a terminal of its own."""
    started: list[pexpect.spawn] = []

    def start(*arguments: str) -> pexpect.spawn:
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm", **environ}
        made = pexpect.spawn(sys.executable, ["-m", "gpudev_cli", *arguments], env=env, encoding="utf-8", timeout=15,
                             dimensions=(40, 160))  # fmt: skip
        started.append(made)
        return made

    yield start
    for made in started:
        made.close(force=True)


def finish(child: pexpect.spawn) -> tuple[int, str]:
    """Wait for the end of a command on a terminal; return its status and what it still said."""
    child.expect(pexpect.EOF)
    rest = child.before
    child.close()
    return child.exitstatus, rest
