"""Google Cloud in front of the test cluster: a fake of Compute and GKE under Google's own names, with disks that have content."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import attrs
import pytest

from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from tests.cluster.clouds.attaching import NotAttached
from tests.cluster.clouds.door import Door, Person
from tests.cluster.clouds.shelf import Shelf
from tests.contract.gcp.fake_compute import FakeCompute
from tests.contract.gcp.fake_compute_world import PROJECT, Json, World
from tests.places.google import EMAIL, Account, known_to

DRIVER = "pd.csi.storage.gke.io"
ZONE, CLUSTER, LOCATION = "us-central1-a", "gpu", "us-central1"
#: A node of GKE: https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
LABELS = {
    "topology.kubernetes.io/zone": ZONE,
    "node.kubernetes.io/instance-type": "a3-highgpu-8g",
    "cloud.google.com/gke-accelerator": "nvidia-h100-80gb",
    "cloud.google.com/gke-nodepool": "gpu",
}


class Disks(dict):
    """Disks by zone and name; what goes loses its content."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf

    def pop(self, key, *of):
        if key in self:
            self._shelf.lose_disk(key[1])
        return super().pop(key, *of)


class Snapshots(dict):
    """Snapshots by name; what goes loses its content."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf

    def pop(self, key, *of):
        if key in self:
            self._shelf.lose_snapshot(key)
        return super().pop(key, *of)


@attrs.define
class Content:
    """What is on disks and in snapshots, by Google's numbers of them, in the place of the bytes that the fake would keep."""

    shelf: Shelf
    world: World | None = None

    def get(self, number: str, missing: bytes) -> str:
        """Return what names the content of a number."""
        return number

    def __setitem__(self, number: str, source: str | bytes) -> None:
        """Let a disk or a snapshot of this number begin with what another has, or with nothing."""
        disk, snapshot = self._named(self.world.disks, number), self._named(self.world.snapshots, number)
        if disk:
            self.shelf.make(disk, self._named(self.world.snapshots, source) if source else "")
        else:
            self.shelf.take(snapshot, self._named(self.world.disks, source))

    @staticmethod
    def _named(things: dict[object, Json], number: str | bytes) -> str:
        return next((each["name"] for each in things.values() if each["id"] == number), "")


@attrs.define
class Gcp:
    """The cloud."""

    compute: FakeCompute
    #: The node's machine, which has its name.
    machine: str
    account: Account
    #: The way into its cluster.
    door: Door | None = None

    name, driver, labels = "gcp", DRIVER, LABELS

    @property
    def environment(self) -> dict[str, str]:
        """Return by what the plugin finds Google, and knows who it is."""
        return self.account.environment

    @property
    def subject(self) -> dict[str, str]:
        """Return whom the cluster gives rights to."""
        return {"kind": "User", "name": EMAIL}

    def settings(self) -> str:
        """Return what a backend on it is configured with."""
        return f"""
project = "{PROJECT}"
zones = ["{ZONE}"]
cluster = "{CLUSTER}"
cluster_location = "{LOCATION}"
calls_per_second = 1000
"""

    def types(self) -> str:
        """Return which nodes have which GPU."""
        return '{ "cloud.google.com/gke-accelerator" = "nvidia-h100-80gb" }'

    def show(self, door: Door) -> None:
        """Have GKE say where its cluster is."""
        self.compute.add_cluster(CLUSTER, LOCATION, door.address, door.ca_pem)
        self.door = door

    def token(self) -> str:
        """Return what the plugin shows a cluster."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with contextlib.closing(Session(GcpSettings(project=PROJECT))) as session:
                return session.token()

    def who(self, token: str) -> Person | None:
        """Say whose a token is."""
        return Person(user=EMAIL) if token == self.account.token else None

    def attach(self, handle: str) -> None:
        """Attach a disk to the node's machine; one that is already stays so."""
        with self.compute.world.lock:
            disk = self.compute.world.disks.get(_key(handle))
            if disk is None or disk["status"] != "READY":
                raise NotAttached(f"{handle} is not there, or not ready")
            disk["users"][:] = [f"{disk['zone']}/instances/{self.machine}"]

    def detach(self, handle: str) -> None:
        """Detach a disk; one that is not attached, or gone, is done."""
        with self.compute.world.lock:
            self.compute.world.disks.get(_key(handle), {"users": []})["users"].clear()

    def disks(self) -> dict[str, tuple[str, ...]]:
        """Return the disks there are, and which machines have each, as the cloud says."""
        with self.compute.world.lock:
            disks = list(self.compute.world.disks.values())
            return {each["name"]: tuple(user.rpartition("/")[2] for user in each["users"]) for each in disks}


@contextlib.contextmanager
def made(folder: pathlib.Path, node: str, keys: pathlib.Path) -> Iterator[Gcp]:
    """Have a project with a cluster and the machine of its one node, and a service account with a key."""
    shelf = Shelf(folder)
    world = World(disks=Disks(shelf), snapshots=Snapshots(shelf), content=Content(shelf), looks=1)
    world.content.world = world
    world.add_instance(node, ZONE, "a3-highgpu-8g", labels={"goog-k8s-cluster-name": CLUSTER})
    fake = FakeCompute(world)
    with contextlib.closing(fake), known_to(fake, keys) as account:
        yield Gcp(fake, node, account)


def _key(handle: str) -> tuple[str, str]:
    zone, _, name = handle.partition("/zones/")[2].partition("/disks/")
    return zone, name
