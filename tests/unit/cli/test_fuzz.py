"""Whatever is typed: an exit code of ours, few lines, and never a trace."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import shutil
import tempfile
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudev_cli.main import ALIASES, GROUPS, run
from gpudev_sdk.errors import Conflict
from tests.unit.client.stub_api import Stub, reservation

#: What would wait, or start something, by itself.
LEFT_OUT = ("up", "down", "backend", "login", "wait")
COMMANDS = [name for group in GROUPS.values() for name in group if name not in LEFT_OUT] + list(ALIASES)
WORDS = [
    "h100",
    "h100:2",
    "4h",
    "cpu",
    "work",
    "--json",
    "--disk",
    "home",
    "--no-disk",
    "-h",
    "--all",
    "--yes",
    "--",
    "-n",
]
WORDS += [
    "--dry-run",
    "list",
    "show",
    "create",
    "delete",
    "add",
    "remove",
    "users",
    "NaN",
    "-1",
    "1e9",
    "..",
    "😀",
    "=",
]
WORDS += ["A=b", "-e", "-t", "-g", "--hours", "work:a", ".", "/", "-", "'", "$(id)", "%s", "local", "--seen"]
WORDS += ["a\nb", "until 18:00", "\x00", "\ud800", "x" * 300, ""]
ARGUMENTS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=12)), max_size=6)


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gd-"))
    stub = Stub(folder / "data")
    stub.rows = [reservation("work", "queued")]
    # Nothing here may wait: a reservation that is asked for is refused.
    stub.on("POST", "/reservations", Conflict("full"))
    env = {
        "HOME": str(folder),
        "GPUDEV_DATA": str(folder / "data"),
        "GPUDEV_CONFIG": str(folder / "config"),
        "PATH": os.environ["PATH"],
    }
    with mock.patch.dict(os.environ, env, clear=True), contextlib.chdir(folder):
        yield stub
    stub.stop()
    shutil.rmtree(folder)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(command=st.sampled_from(COMMANDS), arguments=ARGUMENTS)
def test_whatever_is_typed_ends_in_an_exit_code_and_few_lines(server, command, arguments):
    if {"--watch", "-w", "--wait"} & set(arguments) or (command == "admin" and "restore" in arguments):
        return
    out, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(b""))),
    ):
        status = run([command, *arguments])

    said = errors.getvalue()
    assert status in (0, 1, 2, 3, 4, 5, 125, 130)
    assert "Traceback" not in said
    if status not in (0, 130) and not said.startswith("Usage:") and command != "plugins":
        assert 1 <= len(said.splitlines()) <= 3, said
