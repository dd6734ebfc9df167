"""The cluster of the tests in a container, where a Docker engine runs and `kind` is installed: the second choice.

Its node brings Kubernetes; our registry, disk driver and sidecars are copied into it and run beside its kubelet, so that nothing
but the node's own image is pulled. https://kind.sigs.k8s.io/docs/user/configuration/
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

import attrs

from tests.cluster.machine import objects, programs
from tests.cluster.machine.recipes import CRDS

NAME = "gpudev-test"
NODE = f"{NAME}-control-plane"
#: The same inside the node and outside, so that an image has one reference for who pushes and who pulls.
PORT = 5001
REGISTRY = f"localhost:{PORT}"
_HOME = "/opt/gpudev-test"
_SOCKET = f"{_HOME}/disks.sock"
_CONFIG = "/etc/kubernetes/admin.conf"
#: A first cluster pulls an image of 1 GB.
_CREATE, _SHORT = 900.0, 120.0


class NoCluster(Exception):
    """The cluster cannot be made; the message has what was said."""


@attrs.frozen(kw_only=True)
class KindCluster:
    """A cluster that is up."""

    kubeconfig: pathlib.Path
    registry: str = REGISTRY
    node: str = NODE


def is_possible() -> bool:
    """Say whether an engine answers and kind is there to use it."""
    if shutil.which("kind") is None or shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=_SHORT).returncode == 0


@contextlib.contextmanager
def up(gpus: int) -> Iterator[KindCluster]:
    """Make the cluster, with `gpus` GPUs that its node pretends to have, and delete it at the end."""
    built = programs.ensure()
    with tempfile.TemporaryDirectory(prefix="gpudev-kind-") as folder:
        kubeconfig = pathlib.Path(folder, "kubeconfig")
        # What a run that was killed left is of nobody.
        _run("kind", "delete", "cluster", "--name", NAME)
        try:
            made = (
                "create",
                "cluster",
                "--name",
                NAME,
                "--wait",
                "180s",
                "--config",
                "-",
                "--kubeconfig",
                str(kubeconfig),
            )
            _run("kind", *made, given=json.dumps(_configuration()), seconds=_CREATE)
            _furnish(built)
            _apply(built, gpus)
            yield KindCluster(kubeconfig=kubeconfig)
        finally:
            _run("kind", "delete", "cluster", "--name", NAME)


def _configuration() -> dict:
    port = {"containerPort": PORT, "hostPort": PORT, "listenAddress": "127.0.0.1"}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "extraPortMappings": [port]}],
    }


def _furnish(built: pathlib.Path) -> None:
    """Copy our programs into the node and start them there, the driver first: its sidecars end without it."""
    registry = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": f"{_HOME}/images"}},
        "http": {"addr": f":{PORT}"},
    }
    _inside("mkdir", "-p", f"{_HOME}/bin", f"{_HOME}/disks/wishes", f"{_HOME}/images")
    _inside("tee", f"{_HOME}/registry.json", given=json.dumps(registry))
    for name in ("registry", "driver", "csi-provisioner", "csi-snapshotter", "snapshot-controller"):
        _run("docker", "cp", str(built / name), f"{NODE}:{_HOME}/bin/{name}")
    registration = "/var/lib/kubelet/plugins_registry/disk.gpudev.test-reg.sock"
    _start("registry", "serve", f"{_HOME}/registry.json")
    _start(
        "driver", f"--folder={_HOME}/disks", f"--socket={_SOCKET}", f"--registration={registration}", f"--node={NODE}"
    )
    _wait_for(lambda: _run("docker", "exec", NODE, "test", "-S", _SOCKET))


def _apply(built: pathlib.Path, gpus: int) -> None:
    """Make what pods with disks ask for, then start who answers it."""
    _kubectl("apply", "-f", "-", given=_listed(objects.driver(), *objects.storage_classes()))
    for crd in CRDS:
        _kubectl("apply", "-f", "-", given=(built / programs.CRD_FOLDER / crd).read_text())
    _kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    _kubectl("apply", "-f", "-", given=_listed(objects.snapshot_class()))
    retry = ("--leader-election=false", "--retry-interval-start=500ms", "--retry-interval-max=2s")
    sidecar = (f"--csi-address={_SOCKET}", f"--kubeconfig={_CONFIG}", *retry)
    _start("csi-provisioner", *sidecar, "--feature-gates=Topology=false")
    _start("csi-snapshotter", *sidecar)
    _start("snapshot-controller", f"--kubeconfig={_CONFIG}", *retry)
    status = {"status": {field: {"nvidia.com/gpu": str(gpus)} for field in ("capacity", "allocatable")}}
    _kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    # Its own taint keeps boxes off a control plane that has company; alone it has none.
    _kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=120s")


def _listed(*made: dict) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(made)})


def _kubectl(*words: str, given: str = "") -> None:
    _inside("kubectl", f"--kubeconfig={_CONFIG}", *words, given=given)


def _inside(*words: str, given: str = "") -> None:
    _run("docker", "exec", "-i", NODE, *words, given=given)


def _start(name: str, *options: str) -> None:
    _run("docker", "exec", "-d", NODE, f"{_HOME}/bin/{name}", *options)


def _wait_for(tried, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return tried()
        except NoCluster:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _run(*command: str, given: str = "", seconds: float = _SHORT) -> None:
    what = " ".join(command[:4])
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoCluster(f"`{what} …` was not done after {seconds:.0f} s") from error
    if done.returncode:
        raise NoCluster(f"`{what} …` failed: {(done.stderr or done.stdout).strip()[-500:]}")
