"""The program `kind`, behind one small module: found on the PATH, run with arguments and a limit, its errors in words.

Commands and flags: https://kind.sigs.k8s.io/docs/user/quick-start/ ; the configuration is
https://kind.sigs.k8s.io/docs/user/configuration/ written as JSON, which YAML takes.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import attrs

from gpudev_kind import errors

#: A first cluster pulls an image of about 1 GB.
_CREATE, _LOAD, _SHORT = 900.0, 600.0, 60.0
#: How long kind itself waits for the control plane.
_READY = "180s"


@attrs.frozen
class Kind:
    """The program, where it was found."""

    program: str

    def clusters(self) -> tuple[str, ...]:
        """List the clusters there are."""
        said = self._run(["get", "clusters"], _SHORT)
        # With none, it says so on stderr.
        return tuple(line.strip() for line in said.splitlines() if line.strip())

    def create(self, name: str, image: str, workers: int, kubeconfig: str) -> None:
        """Make a cluster of one control plane, which takes boxes too, and `workers` more nodes."""
        command = ["create", "cluster", "--name", name, "--wait", _READY, "--config", "-"]
        command += ["--image", image] if image else []
        self._run([*command, *_by(kubeconfig)], _CREATE, _configuration(workers))

    def delete(self, name: str, kubeconfig: str) -> None:
        """Delete a cluster with all that is in it; one that is gone is fine."""
        self._run(["delete", "cluster", "--name", name, *_by(kubeconfig)], _SHORT * 2)

    def export_kubeconfig(self, name: str, kubeconfig: str) -> None:
        """Write how to reach a cluster into the kubeconfig (empty: the person's own)."""
        self._run(["export", "kubeconfig", "--name", name, *_by(kubeconfig)], _SHORT)

    def load_image(self, name: str, image: str) -> None:
        """Bring an image of the container engine into the nodes."""
        self._run(["load", "docker-image", image, "--name", name], _LOAD)

    def _run(self, arguments: list[str], seconds: float, given: str = "") -> str:
        what = " ".join(arguments[:2])
        try:
            done = subprocess.run(
                [self.program, *arguments], input=given, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise errors.too_long(what, seconds) from error
        except OSError as error:
            raise errors.no_kind() from error
        if done.returncode != 0:
            raise errors.translate(what, done.stderr or done.stdout)
        return done.stdout


def find() -> Kind:
    """Return the program; raise Unworkable, with where to get it, if there is none."""
    program = shutil.which("kind")
    if program is None:
        raise errors.no_kind()
    return Kind(program)


def _by(kubeconfig: str) -> list[str]:
    return ["--kubeconfig", str(pathlib.Path(kubeconfig).expanduser())] if kubeconfig else []


def _configuration(workers: int) -> str:
    nodes = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(workers))]
    return json.dumps({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes})
