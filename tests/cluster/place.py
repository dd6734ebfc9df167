"""The cluster that the tests use: one that is given, one of kind, or one of this machine's own; and where its images are."""

from __future__ import annotations

import contextlib
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator

import attrs

from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import cluster
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import CLAIM, NAMESPACE, POD
from gpudev_sdk.kube.settings import KubeSettings, TypeSettings
from tests.cluster import kind_place
from tests.cluster.machine import images
from tests.cluster.machine.machine import Machine

#: GPUs that the node of our own cluster pretends to have.
GPUS = 8
NAMESPACE_PREFIX = "gpudev-test-"
#: What a given cluster must be told: where our images can be pushed to and pulled from, and its classes.
REGISTRY, STORAGE_CLASS, SNAPSHOT_CLASS = (
    "TEST_CLUSTER_REGISTRY",
    "TEST_CLUSTER_STORAGE_CLASS",
    "TEST_CLUSTER_SNAPSHOT_CLASS",
)


@attrs.frozen(kw_only=True)
class Place:
    """One cluster, and one namespace of it that is ours."""

    kubeconfig: str
    namespace: str
    #: Image references by what they are: tools, debian, busybox, musl.
    images: dict[str, str]
    #: Nodes where boxes of these tests run; others may have nodes of their own there meanwhile.
    node_labels: dict[str, str] = attrs.field(factory=dict)
    storage_class: str = "disk"
    snapshot_class: str = "disk"
    #: The machine behind it where it is our own: its parts can be stopped and killed.
    machine: Machine | None = None

    def api(self, namespace: str | None = None) -> Api:
        """Return the API server as an admin of the cluster sees it."""
        return cluster.connect(self.kubeconfig, "", namespace or self.namespace)

    def settings(self, **more) -> KubeSettings:
        """Return the settings of a backend there."""
        given = {
            "kubeconfig": self.kubeconfig,
            "namespace": self.namespace,
            "image": self.images["debian"],
            "tools_image": self.images["tools"],
            "storage_class": self.storage_class,
            "snapshot_class": self.snapshot_class,
            "node_labels": self.node_labels,
            "types": {"cpu": TypeSettings(resource="", slots_per_node=6), "h100": TypeSettings()},
        }
        return KubeSettings(**(given | more))


@contextlib.contextmanager
def namespace(api: Api) -> Iterator[str]:
    """Make a namespace in which only *restricted* pods may run, and remove it with all that is in it."""
    name = f"{NAMESPACE_PREFIX}{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.create(NAMESPACE, NAMESPACE.body({"name": name, "labels": labels}))
    try:
        yield name
    finally:
        api.delete(NAMESPACE, name)
        _give_up(api, name)


def _give_up(api: Api, name: str) -> None:
    """Take off the finalizers with which gpudev keeps what others delete: nobody wants these disks any more."""
    inside = Api(api._client, name)
    for kind in (CLAIM, POD):
        for item in inside.list(kind).items:
            with contextlib.suppress(TryLater):
                inside.merge(kind, item["metadata"]["name"], {"metadata": {"finalizers": None}})


@contextlib.contextmanager
def given() -> Iterator[Place]:
    """Use the cluster of KUBECONFIG."""
    kubeconfig = os.environ["KUBECONFIG"]
    registry = os.environ.get(REGISTRY, "localhost:5000")
    made = images.make_once(_cache(), registry)
    with namespace(cluster.connect(kubeconfig, "", "default")) as name:
        yield Place(
            kubeconfig=kubeconfig,
            namespace=name,
            images=attrs.asdict(made),
            storage_class=os.environ.get(STORAGE_CLASS, "disk"),
            snapshot_class=os.environ.get(SNAPSHOT_CLASS, "disk"),
        )


@contextlib.contextmanager
def own() -> Iterator[Place]:
    """Bring a cluster up on this machine, and take it down."""
    with Machine() as machine:
        made = images.make_once(_cache(), machine.registry)
        machine.pretend_gpus(machine.layout.node, GPUS)
        kubeconfig = str(machine.kubeconfig)
        with namespace(cluster.connect(kubeconfig, "", "default")) as name:
            yield Place(
                kubeconfig=kubeconfig,
                namespace=name,
                images=attrs.asdict(made),
                node_labels={"kubernetes.io/hostname": machine.layout.node},
                machine=machine,
            )


@contextlib.contextmanager
def fenced() -> Iterator[Place]:
    """Use such a cluster with network policies enforced; figures are taken without, as there is one more who looks."""
    with own() as place:
        assert place.machine is not None
        place.machine.enforce_policies()
        yield place
        place.machine.check_policies()


@contextlib.contextmanager
def of_kind() -> Iterator[Place]:
    """Make a cluster of kind, and delete it."""
    with kind_place.up(GPUS) as made_cluster:
        made = images.make_once(_cache(), made_cluster.registry)
        kubeconfig = str(made_cluster.kubeconfig)
        with namespace(cluster.connect(kubeconfig, "", "default")) as name:
            yield Place(kubeconfig=kubeconfig, namespace=name, images=attrs.asdict(made))


def choose() -> Callable[[], contextlib.AbstractContextManager[Place]]:
    """Return how the cluster is had: KUBECONFIG; kind where an engine runs; else what is built here, or the run fails."""
    if os.environ.get("KUBECONFIG"):
        return given
    return of_kind if kind_place.is_possible() else fenced


def _cache() -> pathlib.Path:
    root = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return root / "gpudev" / "cluster"
