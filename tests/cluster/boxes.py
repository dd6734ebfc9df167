"""One box on the cluster without a control plane: launched by compute, reached by the system's ssh at the pod's address."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import subprocess
import uuid
from collections.abc import Iterator

import attrs

from gpudev_sdk.domain.server import Phase, Presence, ServerId, ServerSpec
from gpudev_sdk.kube import names
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.files import box_files
from tests import fix_install

PATIENCE = 60.0


#: What a cluster does takes longer than what one machine does.
until = functools.partial(fix_install.until, within=PATIENCE, every=0.05)


@attrs.define
class Box:
    """A launched server, and one person's key to it."""

    compute: PodCompute
    spec: ServerSpec
    install: uuid.UUID
    key: pathlib.Path

    @property
    def pod(self):
        """Return the name of its pod."""
        return names.server_name(self.install, self.spec.server_id)

    def see(self):
        """Look at it."""
        return self.compute.observe(self.spec.server_id)

    def wait(self, phase=Phase.READY, within=PATIENCE):
        """Wait until it is so far, and return what was seen."""
        return until(lambda: (seen := self.see()).phase is phase and seen, within=within)

    def ssh_options(self):
        """Return what every program of OpenSSH needs to get in."""
        _, host, port = self.wait().endpoint.split(":")
        return ["-F", "none", "-i", str(self.key), "-o", f"Port={port}", "-o", f"HostName={host}", "-o", "User=dev",
                   "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                   "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]  # fmt: skip

    def ssh(self, *words, ok=True, timeout=30, **more):
        """Run a command in it."""
        done = subprocess.run(
            ["ssh", *self.ssh_options(), "box", *words], capture_output=True, text=True, timeout=timeout, check=False,
            **({"stdin": subprocess.DEVNULL} | more),
        )  # fmt: skip
        if ok:
            assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def end(self):
        """Take it down, and wait until it is gone."""

        def gone():
            self.compute.terminate(self.spec.server_id)
            return self.see().presence is Presence.ABSENT

        until(gone, every=0.2)


@contextlib.contextmanager
def launched(place, folder: pathlib.Path, settings=None, compute=PodCompute, **wishes) -> Iterator[Box]:
    """Launch a box of this image, these files and so on; take it down in the end."""
    key = folder / f"key-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    install = uuid.uuid4()
    made = compute(settings or place.settings(), Context(install_id=install, name="boxes", data_folder=folder))
    given = {
        "server_id": ServerId(uuid.uuid4(), 1), "name": "box", "owner_number": 1, "owner": "ada", "gpu_type": "cpu",
        "node": made.nodes()[0].name, "slots": (0,), "gpus": 0, "mount": None, "cpus": 0.2, "memory_bytes": 256 * 2**20,
        "files": box_files("box", authorized=key.with_suffix(".pub").read_text().strip()),
    }  # fmt: skip
    box = Box(made, ServerSpec(**(given | wishes)), install, key)
    made.launch(box.spec)
    try:
        yield box
    finally:
        box.end()
