"""The database comes back by itself: after its own death, after ours, and after a filesystem that was full."""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded, postmaster
from gpudev_sdk.store.embedded.ballast import Ballast
from gpudev_sdk.store.embedded.layout import Layout
from gpudev_sdk.store.embedded.supervisor import cap_log
from tests.fix_database import KILLABLE

OWNER_PROCESS = """
import pathlib, sys, time
from gpudev_sdk.store.embedded import Embedded
one = Embedded(pathlib.Path(sys.argv[1]), settings={"fsync": "off"}, ballast_bytes=1024)
one.start()
print(one.pid, flush=True)
time.sleep(600)
"""


def made(folder):
    return Embedded(folder, settings=KILLABLE, ballast_bytes=1024)


def wait_until(done, seconds=30):
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)


def answers(embedded):
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(embedded.dsn(roles.OWNER)) as conn:
        return conn.execute("SELECT true").fetchone() == (True,)


def gone(pid):
    """Wait for a process that is not ours to end."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        assert select.select([handle], [], [], 30)[0]
        os.close(handle)


@pytest.fixture
def embedded(tmp_path):
    one = made(tmp_path / "postgres")
    one.start()
    yield one
    one.stop()


@pytest.fixture
def left(tmp_path):
    """A folder whose database goes on while who started it was killed; with the server's pid."""
    folder = tmp_path / "postgres"
    process = subprocess.Popen([sys.executable, "-c", OWNER_PROCESS, str(folder)], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate()
    yield folder, pid
    made(folder).end_left_over()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_server_that_dies_is_started_again(embedded, number):
    died = embedded.pid
    os.kill(died, number)
    wait_until(lambda: embedded.pid not in (None, died) and answers(embedded))


def test_a_server_that_dies_again_and_again_comes_back_each_time(embedded):
    for _ in range(3):
        died = embedded.pid
        os.kill(died, signal.SIGKILL)
        wait_until(lambda died=died: embedded.pid not in (None, died) and answers(embedded))


def test_a_stop_ends_it_and_nothing_of_it_is_left(tmp_path):
    one = made(tmp_path / "postgres")
    one.start()
    pid = one.pid
    one.stop()
    assert not pathlib.Path(f"/proc/{pid}").exists()
    assert postmaster.find(Layout(one.folder)) is None
    one.stop()


def test_a_server_outlives_who_started_it_and_is_adopted(left):
    folder, pid = left
    one = made(folder)
    one.start()
    assert one.pid == pid
    assert answers(one)
    one.stop()
    gone(pid)


def test_an_adopted_server_that_dies_is_started_again(left):
    folder, pid = left
    one = made(folder)
    one.start()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: one.pid not in (None, pid) and answers(one))
    one.stop()


def test_a_server_that_was_killed_with_who_started_it_is_recovered(left):
    folder, pid = left
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    one = made(folder)
    one.start()
    assert answers(one)
    one.stop()


def test_a_server_that_hangs_is_not_adopted(left, monkeypatch):
    folder, pid = left
    monkeypatch.setattr(postmaster, "ENDING", ((signal.SIGINT, 0.1), (signal.SIGKILL, 10.0)))
    os.kill(pid, signal.SIGSTOP)
    one = made(folder)
    one.start()
    assert one.pid != pid
    assert answers(one)
    one.stop()


def test_a_left_over_server_can_be_ended(left):
    folder, pid = left
    assert made(folder).end_left_over()
    gone(pid)
    assert not made(folder).end_left_over()


def test_the_pid_of_a_stranger_is_not_signalled_and_does_not_keep_the_server_down(left):
    folder, pid = left
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-D", str(folder / "data")])
    try:
        pid_file = folder / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        one = made(folder)
        one.start()
        assert answers(one)
        one.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_start_that_was_killed_at_any_moment_is_made_good_by_the_next(tmp_path):
    folder = tmp_path / "postgres"
    for delay in (0.3, 0.5, 0.7, 0.9, 1.1, 1.3):
        process = subprocess.Popen([sys.executable, "-c", OWNER_PROCESS, str(folder)], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
    one = made(folder)
    one.start()
    assert one.migrate() or answers(one)
    one.stop()


def test_the_log_is_bounded(tmp_path):
    layout = Layout(tmp_path)
    layout.log.write_bytes(b"old" * 100 + b"new" * 10)
    cap_log(layout, 1000)
    assert layout.log.stat().st_size == 330
    cap_log(layout, 30)
    assert layout.log.stat().st_size == 0
    assert (tmp_path / "postgres.log.1").read_bytes() == b"new" * 10


def test_ballast_is_given_up_only_when_space_is_short(tmp_path, monkeypatch):
    ballast = Ballast(tmp_path / "ballast", 4096)
    ballast.keep()
    assert (tmp_path / "ballast").stat().st_size == 4096
    assert not ballast.release()
    monkeypatch.setattr(Ballast, "_free", lambda self: 4095)
    assert ballast.release()
    assert not ballast.release()
    ballast.keep()
    assert not (tmp_path / "ballast").exists()


@pytest.fixture
def small(tmp_path):
    """A filesystem of its own that can be filled."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m,mode=0700", "none", str(tmp_path)], check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small filesystem here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small filesystem")
def test_a_filesystem_that_was_filled_does_not_keep_the_database_down(small):
    one = Embedded(small / "postgres", settings=KILLABLE, ballast_bytes=32 * 1024**2)
    one.start()
    try:
        with psycopg.connect(one.dsn(roles.OWNER)) as conn:
            conn.execute("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")
        fill(small / "filler")
        with pytest.raises(psycopg.Error):
            overflow(one)
        died = one.pid
        if died is not None:
            os.kill(died, signal.SIGKILL)
        wait_until(lambda: one.pid not in (None, died) and answers(one), seconds=60)
        with psycopg.connect(one.dsn(roles.OWNER)) as conn:
            assert conn.execute("SELECT x FROM kept").fetchone() == (7,)
    finally:
        one.stop()


def fill(path):
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(b"\0" * 65536)
            file.flush()


def overflow(embedded):
    with psycopg.connect(embedded.dsn(roles.OWNER), autocommit=True) as conn:
        for _ in range(100):
            conn.execute("INSERT INTO kept SELECT generate_series(1, 100000)")
