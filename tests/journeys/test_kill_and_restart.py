"""kill -9 at any time, and start again: the box goes on or ends cleanly, and the disk is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading

import pytest

from gpudev_services.up.processes import start_time
from tests.fix_install import BIN, until

pytestmark = pytest.mark.sandbox


def supervisor_of(install):
    """Return the pid of the only box's supervisor."""
    return min(pid for pid, line in install.boxes() if "supervisor" in line)


def test_a_box_goes_on_while_gpudev_is_killed_and_comes_back(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "nohup sh -c 'while :; do date +%s%N > ~/beat; sync; sleep 0.1; done' >/dev/null 2>&1 &")
    own_install.kill()
    own_install.up()

    assert own_install.state("work") == "active"
    before = own_install.ssh("work", "cat ~/beat").stdout
    until(lambda: own_install.ssh("work", "cat ~/beat").stdout != before)


def test_a_box_goes_on_over_down_and_up(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo here > /tmp/only-in-this-box")
    own_install.cli("down")
    own_install.up()
    assert own_install.ssh("work", "cat /tmp/only-in-this-box").stdout == "here\n"


def test_killed_while_preparing_it_comes_up_all_the_same(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work", "--no-wait")
    own_install.kill()
    own_install.up()
    own_install.cli("wait", "work")
    own_install.ssh("work", "true")


def test_killed_while_stopping_it_ends_cleanly(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo precious > ~/notes; sync")
    own_install.cli("cancel", "work", "--yes")
    own_install.kill()
    own_install.up()
    until(lambda: own_install.state("work") == "ended")

    assert own_install.boxes() == []
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    assert own_install.ssh("work", "cat ~/notes").stdout == "precious\n"


def test_a_killed_supervisor_ends_the_box_or_not_and_keeps_the_disk(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo precious > ~/notes; sync")
    own_install.kill(supervisor_of(own_install))
    until(lambda: own_install.ssh("work", "true", ok=False).returncode == 0 or own_install.state("work") == "ended")

    own_install.cli("cancel", "work", "--wait", ok=False)
    until(lambda: own_install.state("work") == "ended")
    assert own_install.boxes() == []
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    assert own_install.ssh("work", "cat ~/notes").stdout == "precious\n"


def test_a_box_full_of_traps_ends_cleanly(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh(
        "work",
        "mkdir ~/locked && echo x > ~/locked/in && chmod 000 ~/locked; mkfifo ~/pipe; ln -s /etc/passwd ~/link;"
        " setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' >/dev/null 2>&1 & sleep 0.3",
    )
    own_install.cli("cancel", "work", "--wait", timeout=90)
    assert own_install.boxes() == []
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    assert own_install.ssh("work", "chmod 700 ~/locked; cat ~/locked/in").stdout == "x\n"


def test_nothing_acknowledged_is_lost_when_postgresql_is_killed_under_load(own_install):
    kept, refused = [], []

    def submit(number):
        done = own_install.cli(
            "reserve", "h100:8", "1h", "--no-disk", "--name", f"r{number}", "--no-wait", "--json", ok=False
        )
        (kept if done.returncode == 0 else refused).append(done)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(12)]
    for thread in threads[:6]:
        thread.start()
    postmaster = int((own_install.data / "postgres").glob("**/postmaster.pid").__next__().read_text().split()[0])
    os.kill(postmaster, signal.SIGQUIT)
    for thread in threads[6:]:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: own_install.cli("list", ok=False).returncode == 0)
    there = {row["id"] for row in own_install.json("list", "--all")["items"]}
    assert {json.loads(done.stdout)["id"] for done in kept} <= there
    assert kept


def test_a_second_process_of_workers_shares_the_work(own_install):
    more = subprocess.Popen(
        [BIN / "gpudev-services", "processor", "--data", own_install.data],
        env=own_install.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "up" in more.stdout.readline()
    for number in range(4):
        own_install.cli("reserve", "cpu", "1h", "--no-disk", "--name", f"b{number}", "--no-wait")
    for number in range(4):
        own_install.cli("wait", f"b{number}")
    more.terminate()
    assert more.wait(20) == 0
    more.stdout.close()

    held = own_install.sql("SELECT reservation_id, count(*) FROM gpu_slot WHERE reservation_id IS NOT NULL GROUP BY 1")
    assert sorted(count for _, count in held) == [1, 1, 1, 1]


def test_the_doctor_finds_nothing_after_all_that(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.kill()
    own_install.up()
    own_install.cli("cancel", "work", "--wait")
    assert own_install.cli("admin", "doctor").returncode == 0


def test_a_database_left_by_a_killed_gpudev_is_ended_by_down(own_install):
    postmaster = int((own_install.data / "postgres/data/postmaster.pid").read_text().split()[0])
    own_install.kill()
    assert start_time(postmaster) is not None
    said = own_install.cli("down", ok=False)
    assert "not up" in said.stderr
    assert start_time(postmaster) is None
