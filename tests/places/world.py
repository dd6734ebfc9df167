"""Two clouds and their clusters on this machine: moto's EC2 behind weather, a fake Compute API, two fake API servers."""

from __future__ import annotations

import collections
import pathlib
import tempfile

import attrs
import boto3
import pytest

from tests.contract.aws.weather import Weather
from tests.contract.gcp.fake_compute import FakeCompute
from tests.contract.gcp.fake_compute_world import PROJECT
from tests.places.google import Account, known_to
from tests.unit.kube.bench import _new
from tests.unit.kube.fake_api import FakeApi
from tests.unit.kube.fake_cluster import Disks, Kubelet
from tests.unit.kube.objects import node

#: A region of its own: moto's clouds are those of the whole process, and other tests have theirs in another.
REGION = "us-east-2"
EAST, WEST = "aws-east", "gcp-west"
#: Where a disk of each cloud can lie, and GPUs of a node.
EAST_ZONE, FAR_ZONE, WEST_ZONE, GPUS = "us-east-2a", "us-east-2b", "us-central1-a", 2
ZONE = "topology.kubernetes.io/zone"
#: What a node of EKS and one of GKE are told by: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html and
#: https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
EKS = {"node.kubernetes.io/instance-type": "p5.48xlarge", "eks.amazonaws.com/nodegroup": "gpu"}
GKE = {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb", "cloud.google.com/gke-nodepool": "gpu"}
GKE_SMALL = {"cloud.google.com/gke-accelerator": "nvidia-l4", "cloud.google.com/gke-nodepool": "small"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}


class Everything(collections.Counter[str]):
    """Counts every action as one that is still to be cut, for ever."""

    def __missing__(self, action: str) -> int:
        return 1

    def __setitem__(self, action: str, left: int) -> None:
        """Stay as it is."""


@attrs.define
class Cluster:
    """A fake API server with nodes, and a kubelet that brings pods up."""

    api: FakeApi = attrs.field(factory=FakeApi)

    def __attrs_post_init__(self) -> None:
        kind = {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
        self.api.store.create(("storageclasses", "", "default"), kind | {"kind": "StorageClass", "apiVersion": "v1"})
        self.api.store.controllers += [Kubelet(), Disks()]

    def add(self, name: str, zone: str, gpus: int, labels: dict[str, str], provider_id: str) -> None:
        """Have a node more."""
        made = node(name, gpus=gpus, labels=labels | {ZONE: zone}, spec={"providerID": provider_id})
        self.api.store.create(("nodes", "", name), _new(made, "Node"))

    def kubeconfig(self, path: pathlib.Path) -> str:
        """Write how it is reached, and return where that is."""
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nusers: [{name: us, user: {token: none}}]\n"
            f"clusters: [{{name: it, cluster: {{server: '{self.api.address}'}}}}]\n"
            "contexts: [{name: it, context: {cluster: it, user: us}}]\n"
        )
        return str(path)

    def go_away(self) -> None:
        """Answer nobody any more."""
        self.api.trouble = lambda call: "cut"
        self.api.cut_watches()

    def come_back(self) -> None:
        """Answer again."""
        self.api.trouble = lambda call: None

    def left(self) -> list[tuple[str, str]]:
        """Return the pods, claims and volumes there are."""
        kinds = ("pods", "persistentvolumeclaims", "persistentvolumes")
        return [(kind, name) for kind, _, name in sorted(self.api.store.objects) if kind in kinds]


@attrs.define
class East:
    """AWS: EC2 of moto's, behind weather, and a cluster on it: two nodes in one zone, and in another one that is chosen last."""

    weather: Weather
    #: EC2 as whoever runs the account has it.
    ec2: object
    cluster: Cluster = attrs.field(factory=Cluster)
    #: In the order in which they are filled.
    nodes: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        image = self.ec2.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
        near = sorted((self._instance(image, EAST_ZONE) for _ in range(2)), key=lambda made: made["PrivateDnsName"])
        far = self._instance(image, FAR_ZONE)
        while far["PrivateDnsName"] < near[-1]["PrivateDnsName"]:
            self.ec2.terminate_instances(InstanceIds=[far["InstanceId"]])
            far = self._instance(image, FAR_ZONE)
        for made in (*near, far):
            name, zone = made["PrivateDnsName"], made["Placement"]["AvailabilityZone"]
            self.cluster.add(name, zone, GPUS, EKS, f"aws:///{zone}/{made['InstanceId']}")
            self.nodes.append(name)

    def _instance(self, image: str, zone: str) -> dict:
        asked = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "Placement": {"AvailabilityZone": zone}}
        return self.ec2.run_instances(**asked)["Instances"][0]

    def go_away(self) -> None:
        """Have AWS's own APIs answer nobody, and the cluster go on."""
        self.weather.cut = Everything()

    def expire(self) -> None:
        """Take our credentials for no longer good."""
        self.refuse("*", "RequestExpired", "Request has expired.")

    def deny(self) -> None:
        """Let us make no volume."""
        self.refuse("CreateVolume", "UnauthorizedOperation", "You are not authorized to perform this operation.")

    def refuse(self, action: str, code: str, message: str) -> None:
        """Have an action, `*` being all, refused from now on."""
        self.weather.cut = collections.Counter()
        self.weather.refuse, self.weather.lasting = {action: [(403, code, message)]}, True

    def come_back(self) -> None:
        """Be fair again."""
        self.weather.clear()

    def volumes(self) -> list[dict]:
        """Return the volumes that carry a tag of ours."""
        found = self.ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["gpudev:install"]}])["Volumes"]
        return sorted(found, key=lambda each: each["VolumeId"])

    def snapshots(self) -> list[dict]:
        """Return the snapshots that do."""
        own = {"OwnerIds": ["self"], "Filters": [{"Name": "tag-key", "Values": ["gpudev:install"]}]}
        return self.ec2.describe_snapshots(**own)["Snapshots"]


@attrs.define
class West:
    """Google Cloud: a fake Compute API, and a cluster on it."""

    compute: FakeCompute
    #: Who gpudev is where it dials Google's own addresses; at `endpoint` anybody may do all.
    account: Account
    cluster: Cluster = attrs.field(factory=Cluster)

    def __attrs_post_init__(self) -> None:
        for name, zone, gpus, labels in (("gke-gpu-1", WEST_ZONE, GPUS, GKE), ("gke-l4-1", WEST_ZONE, 1, GKE_SMALL)):
            self.compute.world.add_instance(name, zone)
            self.cluster.add(name, zone, gpus, labels, f"gce://{PROJECT}/{zone}/{name}")

    def go_away(self) -> None:
        """Have Google's own APIs answer nobody, and the cluster go on."""
        self.compute.trouble = lambda call: "cut"

    def expire(self) -> None:
        """Take our credentials for no longer good."""
        self.compute.trouble, self.account.is_known = lambda call: None, False

    def deny(self) -> None:
        """Let us make no disk."""
        self.compute.denied = {"compute.disks.create"}

    def come_back(self) -> None:
        """Be fair again."""
        self.compute.trouble, self.compute.denied = lambda call: None, set()
        self.account.is_known = True


@attrs.frozen
class World:
    """Both."""

    east: East
    west: West

    @property
    def clouds(self) -> dict[str, East | West]:
        """Return both by the names of their backends."""
        return {EAST: self.east, WEST: self.west}

    def config(self, folder: pathlib.Path, *, google: str | None = None) -> str:
        """Return the tables of an install with both; `google` is the endpoint of Compute, empty for Google's own address."""
        return f"""
[backends.{EAST}]
compute = "aws"
storage = "aws"
[backends.{EAST}.aws]
region = "{REGION}"
endpoint = "{self.east.weather.address}"
kubeconfig = "{self.east.cluster.kubeconfig(folder / "east")}"
calls_per_second = 1000
[backends.{EAST}.aws.types.h100]
labels = {{ "node.kubernetes.io/instance-type" = "p5.48xlarge" }}
[backends.{WEST}]
compute = "gcp"
storage = "gcp"
[backends.{WEST}.gcp]
project = "{PROJECT}"
endpoint = "{self.west.compute.url if google is None else google}"
kubeconfig = "{self.west.cluster.kubeconfig(folder / "west")}"
calls_per_second = 1000
[backends.{WEST}.gcp.types.h100]
labels = {{ "cloud.google.com/gke-accelerator" = "nvidia-h100-80gb" }}
[backends.{WEST}.gcp.types.l4]
labels = {{ "cloud.google.com/gke-accelerator" = "nvidia-l4" }}
"""

    def left(self) -> list[tuple[str, str]]:
        """Return what boxes left in either cluster."""
        return self.east.cluster.left() + self.west.cluster.left()


def build_world():
    """Yield both clouds, and take them away again."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    moto = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}
    ec2 = boto3.Session(**keys).client("ec2", endpoint_url=moto)
    fake = FakeCompute()
    with tempfile.TemporaryDirectory(prefix="gpudev-google-") as keys, known_to(fake, pathlib.Path(keys)) as account:
        made = World(East(Weather(moto), ec2), West(fake, account))
        yield made
    for part in (made.east.weather, made.west.compute, made.east.cluster.api, made.west.cluster.api, ec2):
        part.close()
    server.stop()
    patch.undo()
