"""A process is its machine's start, its pid and its own start: never a pid alone."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from gpudev_sdk.local import identity

BOOT = "boot/1"


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()


def test_a_running_process_is_alive(sleeper):
    assert identity.is_alive(identity.identify(sleeper.pid, BOOT), BOOT)


def test_another_process_of_the_same_pid_is_not_it(sleeper):
    earlier = identity.identify(sleeper.pid, BOOT)._replace(start=1)

    assert not identity.is_alive(earlier, BOOT)
    assert not identity.send(earlier, BOOT, signal.SIGKILL)
    assert sleeper.poll() is None


def test_after_a_restart_of_the_machine_no_process_is_alive(sleeper):
    assert not identity.is_alive(identity.identify(sleeper.pid, BOOT), "boot/2")


def test_a_zombie_is_over(sleeper):
    process = identity.identify(sleeper.pid, BOOT)
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert identity.start_time(sleeper.pid) == process.start
    assert not identity.is_alive(process, BOOT)


def test_a_signal_reaches_the_process_itself(sleeper):
    assert identity.send(identity.identify(sleeper.pid, BOOT), BOOT, signal.SIGTERM)
    assert sleeper.wait(10) == -signal.SIGTERM


def test_a_name_with_spaces_and_parentheses_is_read_over(tmp_path):
    program = tmp_path / "a) b ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "100"]) as process:
        try:
            assert identity.start_time(process.pid) >= identity.start_time(os.getpid())
        finally:
            process.kill()


def test_what_is_not_there_has_no_identity():
    assert identity.identify(2**22 + 1, BOOT) is None


def test_the_boot_is_the_same_each_time():
    assert identity.boot_id() == identity.boot_id()
