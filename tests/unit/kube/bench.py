"""A backend on the fake API server, with what a test needs around it."""

from __future__ import annotations

import pathlib

import attrs

from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.kube import names, policy
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.settings import KubeSettings
from gpudev_sdk.kube.storage import ClaimStorage
from gpudev_sdk.providers import Context
from tests.unit.kube.fake_api import NAMESPACE, Call, FakeApi
from tests.unit.kube.fake_cluster import Disks, Kubelet
from tests.unit.kube.objects import INSTALL, SERVER, node, server_spec

ABLE = {"runtimeHandlers": [{"name": "", "features": {"userNamespaces": True}}]}
H100 = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
READS = ("get", "list", "watch")


class ReachingFake:
    """What reaches the fake; compute and storage do so in the same way."""

    def __init__(self, fake: FakeApi, settings: KubeSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._fake = fake

    def connect(self):
        return self._fake.api(self._settings.namespace)


class FakeCompute(ReachingFake, PodCompute):
    """Compute whose cluster is the fake."""

    def stop(self) -> None:
        """End its copies, and those of the storage beside it."""
        self._view.stop()


class FakeStorage(ReachingFake, ClaimStorage):
    """Storage whose cluster is the fake."""


@attrs.define
class Bench:
    """A cluster with a node of four GPUs and one without, and a backend on it."""

    fake: FakeApi
    settings: KubeSettings = attrs.field(factory=KubeSettings)
    context: Context = attrs.field(
        factory=lambda: Context(install_id=INSTALL, name="lab", data_folder=pathlib.Path("none"))
    )
    kubelet: Kubelet = attrs.field(factory=Kubelet)
    disks: Disks = attrs.field(factory=Disks)
    compute: FakeCompute = attrs.field(init=False)
    storage: FakeStorage = attrs.field(init=False)
    _built: list[FakeCompute] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        for each in (node("node-a", gpus=4, labels=H100, status=ABLE), node("node-b")):
            self.fake.store.create(("nodes", "", each["metadata"]["name"]), _new(each, "Node"))
        kind = {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
        self.fake.store.create(("storageclasses", "", "default"), kind | {"kind": "StorageClass", "apiVersion": "v1"})
        self.fake.store.controllers += [self.kubelet, self.disks]
        self.again()

    def again(self, settings: KubeSettings | None = None, context: Context | None = None) -> FakeCompute:
        """Build the backend as a process has it that just started."""
        # A context of its own, as every process has: what is built with one shares one view.
        of = (self.fake, settings or self.settings, attrs.evolve(context or self.context))
        self.compute, self.storage = FakeCompute(*of), FakeStorage(*of)
        self._built.append(self.compute)
        return self.compute

    def stop(self) -> None:
        """End what looks."""
        for compute in self._built:
            compute.stop()

    def launch(self, **changes) -> ServerSpec:
        """Launch a server."""
        spec = server_spec(**changes)
        self.compute.launch(spec)
        return spec

    def pods(self) -> list[dict]:
        """Return the pods there are."""
        return self.fake.store.list("pods", None)[0]

    def pod(self) -> dict:
        """Return the pod of the server of these tests."""
        return self.fake.store.get(self.key())

    def left(self) -> list[tuple[str, str]]:
        """Return what is in the namespace, policies left out."""
        return [
            (kind, name) for kind, space, name in sorted(self.fake.store.objects) if space if kind != "networkpolicies"
        ]

    def writes(self) -> list[tuple[str, str, str]]:
        """Return the calls that changed something, as verb, resource and name."""
        return [(call.verb, call.resource, call.name) for call in self.fake.calls if call.verb not in READS]

    def asked(self) -> set[tuple[str, str, str, bool]]:
        """Return what was asked of the API server: verb, group, resource, and whether in a namespace."""
        return {(call.verb, call.group, call.resource, bool(call.namespace)) for call in self.fake.calls}

    @staticmethod
    def key(server_id: ServerId = SERVER, kind: str = "pods", end: str = "") -> tuple[str, str, str]:
        """Return where the store has an object of a server."""
        return kind, NAMESPACE, names.server_name(INSTALL, server_id) + end


def rights() -> set[tuple[str, str, str, bool]]:
    """Return what the engine's roles allow, as `asked` has it."""
    return {
        (verb, group, resource, role["kind"] == "Role")
        for role in policy.roles()
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


@attrs.define
class Nth:
    """Trouble for one call: the nth that changes something."""

    number: int
    what: str
    seen: int = 0

    def __call__(self, call: Call) -> str | None:
        if call.verb in READS:
            return None
        self.seen += 1
        return self.what if self.seen == self.number else None


def _new(item: dict, kind: str) -> dict:
    """Return an object as it is made."""
    metadata = {name: value for name, value in item["metadata"].items() if name != "resourceVersion"}
    return {"apiVersion": "v1", "kind": kind} | item | {"metadata": metadata}
