"""What a killed worker held is taken up at once by the next start on its machine, and never taken from a living one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from gpudev_sdk.engine.worker_names import end_leases_of_the_dead, process_name
from gpudev_sdk.store.reservations import Q


def held_by(bench, kim, worker):
    made = bench.submit(kim)
    with bench.engine.store.transaction() as conn:
        conn.execute(Q["take_lease"], {"id": made, "holder": worker, "ttl": "20 s"})
    end_leases_of_the_dead(bench.engine)
    return bench.sql("SELECT lease_until > gpudev_now() AS held FROM reservation WHERE id = %s", made)[0]["held"]


def dead_pid():
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(done.stdout)


def test_a_dead_workers_row_is_free(bench, kim):
    assert not held_by(bench, kim, f"{socket.gethostname()}-{dead_pid()}-0")


def test_a_zombies_row_is_free(bench, kim):
    zombie = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    zombie.stdout.read()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert not held_by(bench, kim, f"{socket.gethostname()}-{zombie.pid}-0")
    zombie.wait()
    zombie.stdout.close()


def test_a_living_workers_row_is_not(bench, kim):
    assert held_by(bench, kim, f"{process_name()}-0")


def test_a_row_of_another_machines_worker_is_not(bench, kim):
    assert held_by(bench, kim, f"elsewhere-{dead_pid()}-0")


def test_a_name_that_is_not_ours_says_nothing(bench, kim):
    assert held_by(bench, kim, f"somebody-{os.getpid()}")
