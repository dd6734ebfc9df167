"""One machine in a scratch folder: boxes with real walls, reached by the system's ssh."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

import asyncssh
import attrs

from gpudev_sdk.domain.disk import Mount, VolumeRef, VolumeSpec
from gpudev_sdk.domain.server import Phase, Presence, ServerId, ServerSpec, Sighting
from gpudev_sdk.errors import TryLater
from gpudev_sdk.local import catalogue
from gpudev_sdk.local.boxes import Box, Shelf
from gpudev_sdk.local.compute import LocalCompute
from gpudev_sdk.local.identity import Process
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.storage import LocalStorage
from gpudev_sdk.providers.context import Context
from gpudev_sdk.testing.files import box_files

#: Joins ssh to a Unix socket, as the gateway does.
RELAY = """
import os, socket, sys, threading
far = socket.socket(socket.AF_UNIX); far.connect(sys.argv[1])
def up():
    while data := os.read(0, 65536): far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536): os.write(1, data)
os._exit(0)
"""


@attrs.define
class Machine:
    """A backend `local` with what a test needs around it."""

    folder: pathlib.Path
    settings: LocalSettings = attrs.field(factory=lambda: LocalSettings(free_floor_bytes=0, pretend="h100:2"))
    install_id: uuid.UUID = attrs.field(factory=uuid.uuid4)
    boot: str | None = None
    compute: LocalCompute = attrs.field(init=False)
    storage: LocalStorage = attrs.field(init=False)
    key: pathlib.Path = attrs.field(init=False)
    launched: list[ServerId] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.again()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key = self.folder / "id"
        self.key.write_bytes(key.export_private_key())
        self.key.chmod(0o600)
        (self.folder / "id.pub").write_bytes(key.export_public_key())
        (self.folder / "relay.py").write_text(RELAY)

    def again(self) -> LocalCompute:
        """Build the backend as a freshly started process has it."""
        context = Context(install_id=self.install_id, name="local", data_folder=self.folder)
        known = {} if self.boot is None else {"boot_id": lambda: self.boot}
        self.compute = LocalCompute(self.settings, context, **known)
        self.storage = LocalStorage(self.settings, context)
        return self.compute

    def disk(self, owner_number: int = 1) -> Mount:
        """Make a disk."""
        spec = VolumeSpec(
            volume_id=uuid.uuid4(),
            disk_id=uuid.uuid4(),
            owner_number=owner_number,
            size_bytes=1,
            node=catalogue.node_name(),
        )
        self.storage.create_volume(spec)
        return self.storage.mount(VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id))

    def files(self, **changes: bytes) -> dict[str, bytes]:
        files = box_files("work", authorized=(self.folder / "id.pub").read_text().strip())
        return files | {name.replace("reservation_json", "reservation.json"): text for name, text in changes.items()}

    def spec(self, **changes) -> ServerSpec:
        fields = {
            "server_id": ServerId(uuid.uuid4(), 1),
            "name": "work",
            "owner_number": 1,
            "owner": "ada",
            "node": catalogue.node_name(),
            "gpu_type": "cpu",
            "slots": (0,),
            "gpus": 0,
            "mount": None,
            "files": self.files(),
        }
        spec = ServerSpec(**(fields | changes))
        self.launched.append(spec.server_id)
        return spec

    def start(self, **changes) -> ServerSpec:
        """Launch a box and wait until it is ready."""
        spec = self.spec(**changes)
        self.compute.launch(spec)
        self.until_ready(spec.server_id)
        return spec

    def until_ready(self, server_id: ServerId) -> Sighting:
        return self.until(server_id, lambda seen: seen.phase is not Phase.STARTING, Phase.READY)

    def until(self, server_id: ServerId, is_so, expected: Phase | None = None) -> Sighting:
        """Look until something is so; with `expected`, that is the phase it must then have."""
        deadline = time.monotonic() + 30
        while not is_so(seen := self.compute.observe(server_id)):
            assert time.monotonic() < deadline, seen
            time.sleep(0.01)
        assert expected is None or seen.phase is expected, (seen, self.log(server_id))
        return seen

    def stop(self, server_id: ServerId, seconds: float = 30.0) -> Sighting:
        """Terminate until it is seen gone, as the engine does."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(TryLater):
                self.compute.terminate(server_id)
                seen = self.compute.observe(server_id)
                if seen.presence is Presence.ABSENT:
                    return seen
            assert time.monotonic() < deadline, self.compute.observe(server_id)
            time.sleep(0.02)

    def box(self, server_id: ServerId) -> Box:
        return Shelf(self.folder, self.install_id).at(server_id)

    def log(self, server_id: ServerId) -> str:
        log = self.box(server_id).log
        return log.read_text() if log.exists() else ""

    def options(self, server_id: ServerId) -> list[str]:
        """Return what ssh, scp and sftp need to reach a box."""
        endpoint = self.compute.observe(server_id).endpoint or "unix:/nowhere"
        relay = f"{sys.executable} -S {self.folder / 'relay.py'} {endpoint.removeprefix('unix:')}"
        pairs = {
            "User": "dev",
            "ProxyCommand": relay,
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        return ["-F", "/dev/null", *(word for pair in pairs.items() for word in ("-o", f"{pair[0]}={pair[1]}"))]

    def ssh(self, server_id: ServerId, *command: str, **changes) -> subprocess.CompletedProcess[str]:
        """Run a command in a box by the system's ssh."""
        return subprocess.run(
            ["ssh", *changes.pop("options", []), *self.options(server_id), "box", *command],
            **{"capture_output": True, "text": True, "timeout": 60, "check": False} | changes,
        )

    def run(self, server_id: ServerId, command: str) -> str:
        """Run a command that must succeed, and return what it says."""
        done = self.ssh(server_id, command)
        assert done.returncode == 0, (done, self.log(server_id))
        return done.stdout


def kill(process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)


def comes(is_so, seconds: float = 20.0) -> bool:
    """Say whether something comes to be so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def leftovers(folder: pathlib.Path) -> list[str]:
    """Return the commands of every process that has to do with a folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command and int(path.parent.name) != os.getpid():
                found.append(command)
    return found
