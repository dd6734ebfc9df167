"""What the benchmarks on a cluster share: an install there, a bare pod for the floor, and what a watch shows of a pod's life."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import statistics
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import attrs
from measure import line
from scratch import percentile

from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.kube import names, pod, record
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import CONFIG_MAP, POD, SECRET, Json
from gpudev_sdk.testing.files import box_files
from tests.cluster.installs import ClusterInstall
from tests.cluster.place import Place

OPTIONS = ["-F", "none", "-o", "User=dev", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
           "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]  # fmt: skip


@attrs.frozen(kw_only=True)
class Ground:
    """What all figures are measured on."""

    place: Place
    install: ClusterInstall
    folder: pathlib.Path

    @property
    def api(self) -> Api:
        """Return the API server, as an admin."""
        return self.place.api()

    def new_key(self) -> pathlib.Path:
        """Make a key pair."""
        path = self.folder / f"key-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def ssh(self, name: str, *command: str) -> list[str]:
        """Return the command line into a box through the gateway, over a connection of its own."""
        ssh, *rest = self.install.ssh_command(name, *command)
        return [ssh, "-o", "ControlPath=none", *rest]

    def pod_of(self, name: str) -> str:
        """Return the name of a box's pod."""
        found = self.install.sql("SELECT id, attempt FROM reservation WHERE name = %s ORDER BY seq DESC LIMIT 1", name)
        return names.server_name(self.install.install_id, ServerId(*found[0]))


def bare_ssh(key: pathlib.Path, address: str, *command: str) -> list[str]:
    """Return the command line straight to a pod."""
    return ["ssh", *OPTIONS, "-i", str(key), "-p", str(pod.PORT), address, *command]


def figure(what: str, took: list[float], note: str = "", *, unit: str = "s", digits: int = 2) -> float:
    """Print a median with its p90 and n; return the median."""
    middle = statistics.median(took)
    rest = f"p90 {percentile(took, 0.9):.{digits}f}, n {len(took)}"
    line(what, f"{middle:.{digits}f} {unit}", f"{rest}; {note}" if note else rest)
    return middle


def until(what: Callable[[], object], *, within: float = 60.0, every: float = 0.01) -> object:
    """Return the first true answer."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(every)
    raise TimeoutError(f"did not come true in {within} s: {what}")


def run(command: list[str], **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command that must succeed."""
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, **more)


class Follower:
    """Notes when a watch showed each step of each pod of a namespace for the first time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.steps: dict[str, dict[str, float]] = {}
        self.pods: dict[str, Json] = {}

    def __enter__(self) -> Follower:
        self._version = self._api.list(POD).version
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def wait(self, name: str, step: str, within: float = 60.0) -> float:
        """Return when a pod came so far."""
        with self._changed:
            if not self._changed.wait_for(lambda: step in self.steps.get(name, {}), within):
                raise TimeoutError(f"{name} did not come to {step!r}: {self.steps.get(name)}")
            return self.steps[name][step]

    def _run(self) -> None:
        version = self._version
        while not self._stop.is_set():
            for event in self._api.watch(POD, "", version, 60):
                version = event.item["metadata"]["resourceVersion"]
                if event.what != "BOOKMARK":
                    self._note(event.item["metadata"]["name"], event.item, event.what)

    def _note(self, name: str, item: Json, what: str) -> None:
        now = time.time()
        with self._changed:
            steps = self.steps.setdefault(name, {})
            for step in [*_steps(item), *(["gone"] if what == "DELETED" else [])]:
                steps.setdefault(step, now)
            self.pods[name] = item
            self._changed.notify_all()


def _steps(item: Json) -> Iterator[str]:
    """Yield how far a pod has come, by names that the figures use."""
    status = item.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
    boxes = status.get("containerStatuses") or []
    tools = status.get("initContainerStatuses") or []
    yield "created"
    if item["spec"].get("nodeName"):
        yield "scheduled"
    if conditions.get("PodReadyToStartContainers") == "True":
        yield "sandbox"
    if any("running" in each["state"] or "terminated" in each["state"] for each in tools):
        yield "tools run"
    if any("terminated" in each["state"] for each in tools):
        yield "tools there"
    if any(each.get("started") for each in boxes):
        yield "box up"
    if "deletionTimestamp" in item["metadata"]:
        yield "deleted"
    if status.get("phase") in ("Succeeded", "Failed"):
        yield "stopped"


@attrs.frozen(kw_only=True)
class Bare:
    """The objects of one box as gpudev would make them, without gpudev: no finalizer, no owner."""

    name: str
    bodies: list[tuple[object, Json]]

    def create(self, api: Api) -> None:
        """Make them."""
        for kind, body in self.bodies:
            api.create(kind, body)

    def delete(self, api: Api) -> None:
        """Have them removed."""
        for kind, body in reversed(self.bodies):
            api.delete(kind, body["metadata"]["name"])


def bare(ground: Ground, key: pathlib.Path, *, gpus: int = 0, cpus: float = 0.3) -> Bare:
    """Return a pod with the same manifest, files and scripts as a box of the install gets."""
    install, place = uuid.uuid4(), ground.place
    public = key.with_suffix(".pub").read_text().strip()
    node = place.machine.layout.node
    spec = ServerSpec(
        server_id=ServerId(uuid.uuid4(), 1), name="bare", owner_number=1, owner="ada", node=node, mount=None,
        gpu_type="h100" if gpus else "cpu", slots=tuple(range(gpus or 1)), gpus=gpus, cpus=cpus,
        memory_bytes=512 * 2**20, files=box_files("bare", authorized=public),
    )  # fmt: skip
    name = names.server_name(install, spec.server_id)
    kept = CONFIG_MAP.body({"name": name, "uid": "none"}, data=record.boot_files() | pod.accounts(None))
    ground_of = pod.Ground(
        install=install, settings=place.settings(), record=kept, resource="nvidia.com/gpu" if gpus else "",
        user_namespaces=True,
    )  # fmt: skip
    manifest = pod.manifest(spec, ground_of)
    for what in ("finalizers", "ownerReferences"):
        manifest["metadata"].pop(what)
    del kept["metadata"]["uid"]
    data = {file: base64.b64encode(content).decode() for file, content in spec.files.items()}
    files = SECRET.body({"name": pod.run_files_name(ground_of)}, type="Opaque", data=data)
    return Bare(name=name, bodies=[(CONFIG_MAP, kept), (SECRET, files), (POD, manifest)])


@contextlib.contextmanager
def reserved(ground: Ground, *words: str, name: str) -> Iterator[str]:
    """Have a box of the install for a while; yield its address."""
    ground.install.cli("reserve", *words, "--no-disk", "--name", name)
    try:
        found = ground.install.sql("SELECT endpoint FROM reservation WHERE name = %s AND state = 'active'", name)
        yield found[0][0].split(":")[1]
    finally:
        ground.install.cli("cancel", name, "--wait")
