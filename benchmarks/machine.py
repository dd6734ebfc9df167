"""One machine: from `reserve` to a usable ssh, bytes through the gateway, memory, and how quiet it is when idle. `make bench`.

The floors are taken in the same run: a bare sshd on loopback, and the box launched without the control plane.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import psycopg
from measure import line, median, wall_and_cpu

from gpudev_sdk.store.embedded import Embedded

GPUDEV = str(pathlib.Path(sys.executable).parent / "gpudev")
MEGABYTES = 300
IDLE = 60
SETTLE = 75
ZEROS = f"head -c {MEGABYTES}M /dev/zero"


class Install:
    """A scratch install."""

    def __init__(self) -> None:
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="gpudev-b-", dir="/tmp"))
        self.data = self.root / "data"
        self.data.mkdir(mode=0o700)
        (self.data / "config.toml").write_text('gateway = "127.0.0.1:0"\n')
        self.env = os.environ | {"GPUDEV_DATA": str(self.data), "GPUDEV_CONFIG": str(self.root / "config")}

    def cli(self, *words: str) -> None:
        subprocess.run([GPUDEV, *words], env=self.env, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def ssh(self, name: str, command: str, *options: str) -> list[str]:
        return ["ssh", "-F", str(self.root / "config" / "ssh" / "config"), *options, f"{name}.gpudev", command]

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        dsn = Embedded(self.data / "postgres").dsn("gpudev_owner")
        with psycopg.connect(dsn, autocommit=True) as conn:
            return conn.execute(statement).fetchall()


def memory(pid: int) -> float:
    """Return the resident MB of a process."""
    for row in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith("VmRSS"):
            return int(row.split()[1]) / 1024
    raise LookupError(pid)


def box_processes(install: Install) -> list[int]:
    """Return the processes of the only box: its supervisor, which names the install's folder, and all below it."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    mark = str(install.data / "backends").encode()
    found = [pid for pid in parents if mark in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid and child not in found)
    return found


def bare_sshd(install: Install) -> tuple[subprocess.Popen[bytes], list[str]]:
    """Start an OpenSSH server for the floor; return it and the command line into it."""
    folder = install.root / "sshd"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port), "-h", folder / "host",
         "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={folder / 'authorized'}", "-o", "StrictModes=no",
         "-o", "PermitRootLogin=yes", "-o", "SetEnv=SHLVL=2", "-o", f"PidFile={folder / 'pid'}"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(1)
    into = ["ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-i", str(folder / "user"), "-p", str(port), "127.0.0.1"]  # fmt: skip
    return server, into


def reserve_to_ssh(install: Install) -> None:
    """Measure from `reserve` to the end of a first command in the box."""

    def once() -> None:
        install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "bench")
        subprocess.run(install.ssh("bench", "true", "-o", "ControlPath=none"), check=True, capture_output=True)
        took.append(time.perf_counter() - began)
        ours = install.sql(
            "SELECT extract(epoch FROM min(at) FILTER (WHERE what = 'to-active') - min(at)),"
            " extract(epoch FROM min(at) FILTER (WHERE what = 'to-active') - min(at) FILTER (WHERE what = 'launch'))"
            " FROM reservation_event WHERE reservation_id = (SELECT id FROM reservation ORDER BY seq DESC LIMIT 1)"
        )[0]
        control.append(float(ours[0]) - float(ours[1]))
        launch.append(float(ours[1]))
        install.cli("cancel", "bench", "--wait")

    took: list[float] = []
    control: list[float] = []
    launch: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        once()
    middle = len(took) // 2
    line("reserve → first ssh command done", f"{sorted(took)[middle]:.2f} s", "bar 1.5 s")
    line("  of it: from launch to an answering ssh server", f"{sorted(launch)[middle]:.2f} s")
    line("  of it: ours, from request to launch", f"{sorted(control)[middle]:.3f} s", "bar 0.15 s")


def shells(install: Install, into: list[str]) -> None:
    """Measure commands through ssh beside a bare one."""
    bare, _ = wall_and_cpu([*into, "true"], runs=10)
    fresh, _ = wall_and_cpu(install.ssh("bench", "true", "-o", "ControlPath=none"), runs=10)
    shared, _ = wall_and_cpu(install.ssh("bench", "true"), runs=10)
    line("ssh to a bare sshd, one command", f"{bare:.3f} s")
    line("ssh through the gateway to a box, one command", f"{fresh:.3f} s", f"{fresh / bare:.2f} × bare")
    line("the same over a shared connection", f"{shared:.3f} s", "bar 0.05 s")
    exec_, cpu = wall_and_cpu([GPUDEV, "exec", "bench", "--", "true"], env=install.env)
    line("gpudev exec of a no-op: wall / CPU", f"{exec_:.3f} / {cpu:.3f} s")
    listed, cpu = wall_and_cpu([GPUDEV, "list"], env=install.env)
    line("gpudev list, piped: wall / CPU", f"{listed:.3f} / {cpu:.3f} s", "bar 0.25 s")


def streams(install: Install, into: list[str]) -> None:
    """Measure one stream of bytes through gateway and box beside a bare ssh."""

    def through(command: list[str]) -> float:
        took = median(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True), runs=3)
        return MEGABYTES / took

    bare = through([*into, ZEROS])
    ours = through(install.ssh("bench", ZEROS, "-o", "ControlPath=none"))
    line("one stream from a bare sshd", f"{bare:.0f} MB/s")
    line("one stream from a box through the gateway", f"{ours:.0f} MB/s", f"{ours / bare:.2f} × bare")


def quiet(install: Install, pid: int) -> None:
    """Measure memory, and transactions while nothing happens."""
    line("gpudev up, resident", f"{memory(pid):.0f} MB", "bar 250 MB")
    boxes = box_processes(install)
    line(f"a box, resident ({len(boxes)} processes)", f"{sum(map(memory, boxes)):.0f} MB", "bar 60 MB")
    install.cli("cancel", "bench", "--wait")
    count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    # Backends report what they did with up to a minute's delay.
    time.sleep(SETTLE)
    before, began = int(str(install.sql(count)[0][0])), time.perf_counter()
    time.sleep(IDLE)
    after, took = int(str(install.sql(count)[0][0])), time.perf_counter() - began
    line(f"transactions in {took:.0f} s of idleness, all loops together", f"{after - before - 1}")


def main() -> None:
    """Print the figures."""
    install = Install()
    try:
        began = time.perf_counter()
        install.cli("up", "--detach")
        line("gpudev up on an empty folder", f"{time.perf_counter() - began:.2f} s")
        install.cli("down")
        began = time.perf_counter()
        install.cli("up", "--detach")
        line("gpudev up again", f"{time.perf_counter() - began:.2f} s")
        reserve_to_ssh(install)
        install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "bench")
        server, into = bare_sshd(install)
        try:
            shells(install, into)
            streams(install, into)
        finally:
            server.terminate()
            server.wait()
        quiet(install, json.loads((install.data / "run" / "up.json").read_text())["pid"])
    finally:
        subprocess.run(
            [GPUDEV, "cancel", "--all", "--yes", "--wait"], env=install.env, check=False, capture_output=True
        )
        subprocess.run([GPUDEV, "down", "--force"], env=install.env, check=False, capture_output=True)
        shutil.rmtree(install.root, ignore_errors=True)


if __name__ == "__main__":
    main()
