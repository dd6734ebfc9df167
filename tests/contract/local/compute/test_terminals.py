"""Real terminals: their size, signals from keys, and the notices that reach them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from gpudev_sdk.domain.server import digest_files
from tests.contract.local.compute.machine import comes

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("ssh_program")]


class Terminal:
    """A terminal on this side, with ssh in it."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.here = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.here, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def say(self, text: str) -> None:
        os.write(self.here, text.encode())

    def expect(self, text: str) -> str:
        """Read until `text` appears; return what came before it since the last time."""
        deadline = time.monotonic() + 20
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.here], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.here, 65536)
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode()

    def close(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)
        os.close(self.here)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def box(machine):
    return machine.start().server_id


@pytest.fixture
def terminals(machine, box):
    opened = []

    def open_one(*command: str) -> Terminal:
        opened.append(Terminal(["ssh", "-tt", *machine.options(box), "box", *command]))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


def test_a_shell_has_a_terminal_of_its_own_in_the_home(terminals):
    shell = terminals()

    shell.say("echo in=$(pwd) tty=$(tty) sum=$((40+2)); [ -O $(tty) ] && echo owned=yes\n")

    assert "in=/home/dev tty=/dev/pts/" in shell.expect("sum=42") + "sum=42"
    shell.expect("owned=yes")


def test_it_is_a_login_shell(terminals):
    shell = terminals()

    shell.say("shopt -q login_shell && echo log''in\n")

    shell.expect("login")


def test_the_terminals_size_follows_the_clients(terminals):
    shell = terminals("trap 'echo now $(stty size)' WINCH; echo go; while :; do sleep 0.05; done")
    shell.expect("go")

    shell.resize(123, 45)

    shell.expect("now 45 123")


def test_a_key_interrupts_what_runs(terminals):
    shell = terminals("trap 'echo inter''rupted; exit 5' INT; echo go; while :; do sleep 0.05; done")
    shell.expect("go")

    shell.say("\x03")

    shell.expect("interrupted")


def test_the_shells_exit_status_comes_back(machine, box):
    terminal = Terminal(["ssh", "-tt", *machine.options(box), "box"])
    terminal.say("exit 9\n")
    with contextlib.suppress(OSError):
        while os.read(terminal.here, 65536):
            pass

    assert terminal.close() == 9


def test_a_new_notice_is_shown_once_on_every_open_terminal(machine, box, terminals):
    first, second = terminals("echo go; sleep 100"), terminals("echo go; sleep 100")
    for terminal in (first, second):
        terminal.expect("go")
    files = machine.files(notice=b"gpudev: work ends at 18:00 UTC\n")

    machine.compute.configure(box, files)
    machine.compute.configure(box, files)

    for terminal in (first, second):
        terminal.expect("gpudev: work ends at 18:00 UTC")
        assert "18:00" not in terminal.seen.decode()


def test_a_notice_reaches_terminals_that_programs_of_the_box_opened(machine, box, terminals):
    outer = terminals(
        "script -qfc 'echo in; sleep 100' inner >/dev/null & until test -s inner; do sleep 0.02; done; echo go; wait"
    )
    outer.expect("go")

    machine.compute.configure(box, machine.files(notice=b"ends soon\n"))

    outer.expect("ends soon")
    machine.run(box, "until grep -q 'ends soon' inner; do sleep 0.02; done")


def test_a_standing_notice_is_shown_at_login(machine, terminals, box):
    _show(machine, box, terminals, "ends at 18:00")

    terminals().expect("ends at 18:00")


def test_a_withdrawn_notice_is_no_longer_shown(machine, terminals, box):
    _show(machine, box, terminals, "ends at 18:00")
    machine.compute.configure(box, machine.files(notice=b""))

    def shown() -> bool:
        shell = terminals()
        shell.say("echo re''ady\n")
        return "18:00" in shell.expect("ready")

    assert comes(lambda: not shown())


def test_commands_without_a_terminal_get_no_notice(machine, box, terminals):
    _show(machine, box, terminals, "ends at 18:00")

    assert machine.run(box, "echo clean") == "clean\n"


def test_a_terminal_that_is_stopped_does_not_stop_the_notice_for_others(machine, box, terminals):
    stopped, other = terminals("echo go; yes"), terminals("echo go; sleep 100")
    other.expect("go")
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        machine.compute.configure(box, machine.files(notice=b"ends soon\n"))
        other.expect("ends soon")
    finally:
        os.kill(stopped.pid, signal.SIGCONT)


def test_what_configure_changes_is_in_the_box_within_a_second(machine, box):
    files = machine.files(notice=b"one\n")

    began = time.monotonic()
    machine.compute.configure(box, files)
    seen = machine.compute.observe(box).files_digest
    took = time.monotonic() - began

    assert seen == digest_files(files)
    assert took < 1
    assert machine.run(box, "cat /run/gpudev/notice") == "one\n"
    assert machine.run(box, "ls -A /run/gpudev").split() == sorted(files)


def test_a_key_taken_away_no_longer_opens_the_box(machine, box):
    machine.compute.configure(box, machine.files(authorized_keys=b""))

    assert "Permission denied (publickey)" in machine.ssh(box, "true").stderr


def test_a_renewed_host_certificate_is_taken_over(machine, box, tmp_path):
    files = machine.files()
    (tmp_path / "renewed.pub").write_bytes(files["host_key-cert.pub"])
    said = subprocess.run(
        ["ssh-keygen", "-lf", str(tmp_path / "renewed.pub")], capture_output=True, text=True, check=True
    )

    machine.compute.configure(box, files)

    fingerprint = said.stdout.split()[1]
    assert comes(lambda: fingerprint in machine.ssh(box, "true", options=["-v", "-o", "LogLevel=DEBUG1"]).stderr)


def _show(machine, box, terminals, notice: str) -> None:
    """Put up a notice, and wait until the box has seen it."""
    open_now = terminals("echo go; sleep 100")
    open_now.expect("go")
    machine.compute.configure(box, machine.files(notice=notice.encode()))
    open_now.expect(notice)


def test_a_program_left_writing_to_a_terminal_does_not_stop_the_box(machine, box):
    machine.ssh(box, "trap '' HUP; yes & exit 0", options=["-tt"])

    assert machine.run(box, "echo on") == "on\n"


def test_a_channel_closed_under_a_busy_program_does_not_stop_the_box(machine, box, tmp_path):
    control = ["-o", f"ControlPath={tmp_path}/c"]
    with subprocess.Popen(["ssh", "-M", "-N", *control, *machine.options(box), "box"]) as master:
        try:
            assert comes(lambda: (tmp_path / "c").exists())
            with subprocess.Popen(["ssh", *control, *machine.options(box), "box", "yes"], stdout=-1) as busy:
                assert busy.stdout.read(2) == b"y\n"
                busy.kill()
            assert machine.run(box, "until ! pgrep -x yes; do sleep 0.02; done; echo on").endswith("on\n")
        finally:
            master.terminate()
