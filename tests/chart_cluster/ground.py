"""The ground: a cluster, the images that ship in its registry, GPUs that a node pretends to have, kubectl and helm."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import attrs

from tests.cluster.machine import shipped
from tests.cluster.machine.machine import Machine
from tests.cluster.place import REGISTRY
from tests.fix_install import BIN

ROOT = pathlib.Path(__file__).parents[2]
GPUS = 8
#: What GPU feature discovery would say of them.
PRODUCT = "NVIDIA-H100-80GB-HBM3"
DEFAULTS = {
    "storageclass/disk": "storageclass.kubernetes.io/is-default-class",
    "volumesnapshotclass/disk": "snapshot.storage.kubernetes.io/is-default-class",
}


@attrs.frozen(kw_only=True)
class Ground:
    """One cluster as an operator has it: by kubectl and helm."""

    kubeconfig: str
    images: shipped.Shipped
    #: A folder that goes with the run.
    scratch: pathlib.Path
    #: Folders of programs, before those of PATH.
    programs: tuple[str, ...] = ()
    #: The machine behind it where it is our own.
    machine: Machine | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return what an operator's commands run with: nothing of whoever runs the tests but the way to programs."""
        path = ":".join([*self.programs, str(BIN), os.environ["PATH"]])
        return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(self.scratch), "KUBECONFIG": self.kubeconfig}

    def run(self, *command, ok=True, timeout=120, **more) -> subprocess.CompletedProcess[str]:
        """Run a command from the repository's root; it must succeed unless `ok` is False."""
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
            **({"stdin": subprocess.DEVNULL} | more if "input" not in more else more),
        )  # fmt: skip
        if ok:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def kubectl(self, *words, **more) -> str:
        """Run kubectl and return what it says."""
        return self.run("kubectl", *words, **more).stdout

    def get(self, kind: str, *words: str) -> list[dict]:
        """Return objects of a kind; `words` are kubectl's options, a name among them."""
        found = json.loads(self.kubectl("get", kind, *words, "--output=json", "--ignore-not-found") or '{"items": []}')
        return found.get("items", [found])

    @property
    def node(self) -> str:
        """Return the node on which all of this runs."""
        return self.get("nodes")[0]["metadata"]["name"]


@contextlib.contextmanager
def up() -> Iterator[Ground]:
    """Bring a cluster up, or use that of KUBECONFIG, and prepare it; what was prepared is undone."""
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gpudev-c-", dir="/tmp")))
        given = os.environ.get("KUBECONFIG")
        stack.enter_context(_alone())
        machine = None if given else stack.enter_context(Machine())
        registry = os.environ.get(REGISTRY, "localhost:5000") if machine is None else machine.registry
        ground = Ground(
            kubeconfig=given or str(machine.kubeconfig),
            images=shipped.make_once(_cache(), registry),
            scratch=scratch,
            programs=() if machine is None else (str(machine.kubectl.parent),),
            machine=machine,
        )
        assert shutil.which("helm", path=ground.environment["PATH"]), "PATH has no helm: make test-chart builds it"
        stack.enter_context(_prepared(ground))
        if machine is not None:
            machine.enforce_policies()
        yield ground
        if machine is not None:
            machine.check_policies()


@contextlib.contextmanager
def _prepared(ground: Ground) -> Iterator[None]:
    """Let the node have GPUs, and disks a default class, as a cluster that people install on."""
    node = ground.node
    amounts = {what: {"nvidia.com/gpu": str(GPUS)} for what in ("capacity", "allocatable")}
    patch = json.dumps({"status": amounts})
    ground.kubectl("patch", "node", node, "--subresource=status", "--type=merge", f"--patch={patch}")
    ground.kubectl("label", "node", node, f"nvidia.com/gpu.product={PRODUCT}", "--overwrite")
    for name, annotation in DEFAULTS.items():
        ground.kubectl("annotate", name, f"{annotation}=true", "--overwrite")
    try:
        yield
    finally:
        ground.kubectl("label", "node", node, "nvidia.com/gpu.product-", ok=False)
        for name, annotation in DEFAULTS.items():
            ground.kubectl("annotate", name, f"{annotation}-", ok=False)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait until nobody else tells the story on this host: both would install under the same names."""
    _cache().mkdir(parents=True, exist_ok=True)
    with open(_cache() / "chart.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cache() -> pathlib.Path:
    root = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return root / "gpudev" / "cluster"
