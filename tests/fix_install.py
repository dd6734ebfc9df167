"""An install on this machine, used as a person uses it: by the command line and by ssh."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import attrs
import psycopg
import pytest

from gpudev_sdk.store.embedded import Embedded

BIN = pathlib.Path(sys.executable).parent
CONFIG = """
gateway = "127.0.0.1:0"
processors = 2
[limits]
grace_seconds = 2
stop_allowance_seconds = 5
[backends.local]
compute = "local"
storage = "local"
[backends.local.local]
pretend = "h100:8"
cpu_slots = 6
free_floor_bytes = 1000000
"""


def until(what, *, within=30.0, every=0.1):
    """Return the first true answer of `what`; fail when there is none in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(every)
    pytest.fail(f"did not come true in {within} s: {what}")


@attrs.define
class Install:
    """One install and one person's client of it."""

    root: pathlib.Path
    client: str = "config"

    @property
    def data(self):
        return self.root / "data"

    @property
    def environment(self):
        """Return what its commands run with: nothing of whoever runs the tests but the way to programs."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        return kept | {
            "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "GPUDEV_DATA": str(self.data),
            "GPUDEV_CONFIG": str(self.root / self.client), "COLUMNS": "200",
        }  # fmt: skip

    def cli(self, *words, ok=True, timeout=60, **more):
        """Run a gpudev command; it must succeed unless `ok` is False."""
        done = subprocess.run(
            [BIN / "gpudev", *words], env=self.environment, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, check=False, **more,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        if ok:
            assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        return done

    def json(self, *words):
        """Run a command with --json and return what it says."""
        return json.loads(self.cli(*words, "--json").stdout)

    def ssh_command(self, name, *command):
        """Return the command line of the system's ssh into a box."""
        config = str(self.root / self.client / "ssh" / "config")
        return ["ssh", "-F", config, "-o", "BatchMode=yes", f"{name}.gpudev", *command]

    def ssh(self, name, *command, ok=True, timeout=30):
        """Run a command in a box by the system's ssh."""
        done = subprocess.run(
            self.ssh_command(name, *command), env=self.environment, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if ok:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def state(self, name):
        """Return the state of a reservation."""
        return self.json("show", name)["state"]

    def up(self, *words):
        """Start it."""
        return self.cli("up", "--detach", *words)

    @property
    def pid(self):
        """Return the pid of its `up`."""
        return json.loads((self.data / "run" / "up.json").read_text())["pid"]

    def kill(self, pid=None):
        """Kill -9 a process, its `up` unless another is named, and wait until it is gone."""
        pid = pid or self.pid
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        until(lambda: not pathlib.Path(f"/proc/{pid}/stat").exists() or _zombie(pid))
        os.close(handle)

    def log(self):
        """Return the end of its log."""
        path = self.data / "log" / "gpudev.log"
        return "\n".join(path.read_text().splitlines()[-15:]) if path.exists() else ""

    def sql(self, statement, *values):
        """Run a statement as the owner of the schema."""
        dsn = Embedded(self.data / "postgres").dsn("gpudev_owner")
        with psycopg.connect(dsn, autocommit=True) as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def boxes(self):
        """Return what there is of boxes outside the database: pids and command lines of this folder's processes."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(self.data / "backends") in line:
                found.append((int(path.name), line))
        return found

    def close(self):
        """End boxes and server, and remove everything."""
        self.cli("cancel", "--all", "--yes", "--wait", ok=False)
        self.cli("down", "--force", ok=False)
        self._end_what_gpudev_leaves_alone()
        shutil.rmtree(self.root, ignore_errors=True)

    def _end_what_gpudev_leaves_alone(self):
        """End boxes that no database knows any more, which gpudev itself never does."""
        for path in self.data.rglob("init.json"):
            pid = json.loads(path.read_text())["pid"]
            command = pathlib.Path(f"/proc/{pid}/cmdline")
            if command.exists() and b"gpudev_sdk.local" in command.read_bytes():
                self.kill(pid)


def _zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def prepare(config=CONFIG, kind=Install):
    """Make the folders of an install that is not up yet, at a short path of its own."""
    made = kind(pathlib.Path(tempfile.mkdtemp(prefix="gpudev-t-", dir="/tmp")))
    made.data.mkdir(mode=0o700)
    (made.data / "config.toml").write_text(config)
    return made


@pytest.fixture(scope="session")
def new_install():
    """What makes an install; tests/cluster has another, so that journeys run there as they are."""
    return prepare


@pytest.fixture(scope="module")
def install(new_install):
    """An install that all tests of a module share."""
    made = new_install()
    made.up()
    yield made
    made.close()


@pytest.fixture
def own_install(new_install):
    """An install that one test may break."""
    made = new_install()
    made.up()
    yield made
    made.close()


@pytest.fixture
def unstarted():
    """The folders of an install that is not up."""
    made = prepare()
    yield made
    made.close()
