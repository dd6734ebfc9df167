"""The command as a process: pipes, signals, faults, and how long it takes to load."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from gpudev_sdk.wire import views
from tests.unit.client.stub_api import reservation

HEAVY = (
    "httpx2",
    "rich",
    "asyncssh",
    "cryptography",
    "litestar",
    "psycopg",
    "typed_settings",
    "kubernetes",
    "boto3",
    "google",
)


def _loaded(*arguments: str) -> set[str]:
    """Which modules a command loads, beyond what bare Python has."""
    code = (
        "import sys; before = set(sys.modules); sys.argv = sys.argv[:1] + sys.argv[1:]\n"
        "from gpudev_cli.main import run\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()): run(sys.argv[1:])\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_help_loads_little():
    loaded = _loaded("--help")

    assert len(loaded) <= 150
    assert not loaded & {"msgspec", "attrs", *HEAVY}


@pytest.mark.parametrize(
    "words", [("list",), ("avail",), ("exec", "work", "true"), ("reserve", "-h"), ("plugins", "-h"), ("whoami",)]
)
def test_no_command_for_this_machine_loads_what_it_does_not_need(stub, environ, monkeypatch, words):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert not _loaded(*words) & set(HEAVY)


def test_a_noted_box_is_entered_without_loading_the_client(stub, environ, monkeypatch, places):
    from gpudev_sdk.client.boxes import notes_path
    from gpudev_sdk.client.files import write_private

    write_private(
        notes_path(places, "local"), f'{{"address": "{places.data}", "boxes": {{"work": ["1", "work.gpudev"]}}}}'
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(places.home))
    ssh = places.home / "ssh"
    ssh.write_text("#!/bin/sh\nexit 7\n")
    ssh.chmod(0o755)

    assert not _loaded("exec", "work", "--", "true") & {"msgspec", "http.client"}
    assert stub.calls == []


def test_a_reader_that_leaves_is_no_error(process, stub):
    stub.rows = [reservation(f"box{number}", disk="d" * 200) for number in range(2000)]
    child = process("list", "--limit", "2000")
    child.stdout.close()
    child.stdout = None
    _, errors = child.communicate(timeout=20)

    assert errors == ""


def test_an_unforeseen_fault_is_one_line_and_its_trace_is_kept(process, environ, room):
    (room / "tmp").mkdir()
    (room / "site").mkdir()
    (room / "site" / "sitecustomize.py").write_text(
        "import sys, gpudev_cli.commands.config as c\nc.read_config = lambda places: 1 / 0\n"
    )
    env = {"TMPDIR": str(room / "tmp"), "PYTHONPATH": str(room / "site")}
    child = process("config", "show", env=env)
    out, errors = child.communicate(timeout=20)
    kept = list((room / "tmp").glob("gpudev-fault-*"))

    assert (child.returncode, out) == (1, "")
    assert errors.splitlines()[0] == "gpudev: this is a fault of gpudev itself: ZeroDivisionError"
    assert len(errors.splitlines()) == 2
    assert str(kept[0]) in errors
    assert "ZeroDivisionError" in kept[0].read_text()
    child = process("config", "show", env=env | {"GPUDEV_DEBUG": "1"})
    assert "Traceback" in child.communicate(timeout=20)[1]


def test_a_ctrl_c_after_the_commands_end_is_no_fault(process, room):
    (room / "tmp").mkdir()
    (room / "site").mkdir()
    (room / "site" / "sitecustomize.py").write_text(
        "import signal, gpudev_cli.main as c\nc.run = lambda words: signal.raise_signal(signal.SIGINT)\n"
    )
    child = process("config", "show", env={"TMPDIR": str(room / "tmp"), "PYTHONPATH": str(room / "site")})
    errors = child.communicate(timeout=20)[1]

    assert (child.returncode, errors) == (-signal.SIGINT, "gpudev: interrupted\n")
    assert not list((room / "tmp").glob("gpudev-fault-*"))


def _wait_for(child: subprocess.Popen[str], text: str) -> None:
    while text not in (line := child.stderr.readline()):
        assert line, "the command ended"


def test_an_interrupt_without_a_terminal_keeps_the_reservation_and_says_how_to_end_it(process, stub):
    row = reservation("home", "queued", position=1)

    def stream():
        yield row
        time.sleep(3)

    stub.on("POST", "/reservations", row)
    stub.on("GET", f"/reservations/{row.id}/events", lambda body, headers: stream())
    child = process("reserve", "h100", "4h")
    _wait_for(child, "in line, place 1")
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)

    assert child.returncode == 130
    assert errors.splitlines()[-1].startswith("Interrupted. home stays")
    assert "gpudev cancel home" in errors.splitlines()[-1]
    assert not stub.asked("DELETE", f"/reservations/{row.id}")


def test_stdin_reaches_the_command_and_its_status_comes_back(process, stub, environ, room):
    bin_folder = room / "bin"
    bin_folder.mkdir()
    (bin_folder / "ssh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$0.args"\ncat\nexit 42\n')
    (bin_folder / "ssh").chmod(0o755)
    _note(environ)
    env = {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    child = process("exec", "work", "--", "echo", "a b", "$HOME", "it's", env=env, stdin=subprocess.PIPE)
    out, errors = child.communicate("hello", timeout=20)

    assert (child.returncode, out, errors) == (42, "hello", "")
    arguments = (bin_folder / "ssh.args").read_text().splitlines()
    assert arguments[:2] == ["-F", f"{environ['GPUDEV_CONFIG']}/ssh/config"]
    assert arguments[-2:] == ["work.gpudev", "echo 'a b' '$HOME' 'it'\"'\"'s'"]
    assert "-T" in arguments


def _note(environ) -> None:
    from gpudev_sdk.client.boxes import notes_path
    from gpudev_sdk.client.files import write_private
    from gpudev_sdk.client.places import find_places

    places = find_places(environ)
    write_private(
        notes_path(places, "local"), f'{{"address": "{places.data}", "boxes": {{"work": ["1", "work.gpudev"]}}}}'
    )


def test_a_noted_box_that_is_gone_says_so_and_exits_125(process, stub, environ, room):
    bin_folder = room / "bin"
    bin_folder.mkdir()
    (bin_folder / "ssh").write_text("#!/bin/sh\nexit 255\n")
    (bin_folder / "ssh").chmod(0o755)
    _note(environ)
    stub.rows = [reservation("work", "ended", end_reason="expired")]
    stub.on("GET", "/reservations", views.ReservationPage(items=[]))
    child = process("exec", "work", "true", env={"PATH": f"{bin_folder}:{os.environ['PATH']}"})
    _, errors = child.communicate(timeout=20)

    assert child.returncode == 125
    assert "work has ended (expired)" in errors


def test_without_openssh_it_is_said_what_to_install(process, stub, environ, room):
    _note(environ)
    child = process("exec", "work", "true", env={"PATH": str(room)})
    _, errors = child.communicate(timeout=20)

    assert child.returncode == 125
    assert errors.splitlines()[-1].startswith("Install the OpenSSH client")


def test_a_terminal_that_lacks_a_letter_is_no_error(process, stub):
    stub.rows = [reservation("work", disk="日本")]
    child = process("list", env={"PYTHONIOENCODING": "iso8859-2"}, encoding="iso8859-2")
    out, errors = child.communicate(timeout=20)

    assert (child.returncode, errors) == (0, "")
    assert "active" in out


def test_a_read_only_home_still_shows_what_is_there(process, stub, environ):
    stub.rows = [reservation("two", "queued", position=1)]
    blocked = pathlib.Path(environ["GPUDEV_CONFIG"])
    blocked.write_text("a file where a folder should be")
    child = process("list")
    out, _ = child.communicate(timeout=20)

    assert child.returncode == 0
    assert "two" in out
