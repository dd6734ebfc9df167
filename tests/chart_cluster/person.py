"""A person outside the cluster: a home of their own, the command line, OpenSSH, and port-forwards that they keep up."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import subprocess
import threading
from collections.abc import Iterator

import attrs

from tests.chart_cluster.ground import Ground
from tests.chart_cluster.release import COMPONENT
from tests.contract.services import apart
from tests.fix_install import until


@attrs.define
class Person(apart.Person):
    """Somebody with a key in the usual place, who has what the ground offers in their PATH."""

    ground: Ground | None = None

    @property
    def environment(self):
        return super().environment | {name: self.ground.environment[name] for name in ("PATH", "KUBECONFIG")}

    @property
    def home(self):
        """Return their home."""
        return pathlib.Path(self.environment["HOME"])

    @property
    def key(self):
        folder = self.home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / "id_ed25519"

    def shell(self, command: str, ok: bool = True) -> str:
        """Type a command into a shell."""
        done = subprocess.run(
            ["bash", "-c", command], env=self.environment, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if ok:
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[subprocess.Popen]:
        """Open a connection into a box that stays for as long as the block runs, if nobody cuts it."""
        with subprocess.Popen(
            self.ssh_command(name, "echo in; exec sleep 600"), env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as opened:  # fmt: skip
            try:
                assert opened.stdout.readline() == b"in\n"
                yield opened
            finally:
                opened.kill()

    def back(self, box: str = "") -> None:
        """Wait until both doors lead somewhere, which they do until their pod is gone, and find out only when they are used."""
        until(lambda: not self._leaving(), within=60)
        until(lambda: self.cli("list", ok=False).returncode == 0, within=60)
        if box:
            until(lambda: self.ssh(box, "true", ok=False).returncode == 0, within=60)

    def _leaving(self) -> list[str]:
        """Return the pods behind the doors that are on their way out: they serve until they are gone."""
        doors = self.ground.get("pods", "--all-namespaces", f"--selector={COMPONENT} in (api, gateway)")
        return [pod["metadata"]["name"] for pod in doors if "deletionTimestamp" in pod["metadata"]]


@contextlib.contextmanager
def forwarded(person: Person, command: str) -> Iterator[None]:
    """Keep a `kubectl port-forward` up: it ends with the pod that it leads to, and is begun again then."""
    port = int(command.split()[-1].partition(":")[0])
    over = threading.Event()
    running: list[subprocess.Popen] = []

    def keep() -> None:
        while not over.is_set():
            running[:] = [_began(person, command)]
            running[0].wait()
            over.wait(0.3)

    keeper = threading.Thread(target=keep, daemon=True)
    assert not _listens(port), f"something else listens on {port}, which the notes name"
    keeper.start()
    try:
        until(lambda: _listens(port), within=30)
        yield
    finally:
        over.set()
        for one in running:
            one.kill()
        keeper.join()


def _began(person: Person, command: str) -> subprocess.Popen:
    return subprocess.Popen(
        command.split(), env=person.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
