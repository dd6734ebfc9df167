"""What an operator may say about Google Cloud; compute, storage and the other parts of this plugin share it."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import Any

import attrs

from gpudev_sdk.kube.settings import GPU_PRODUCT, KubeSettings

#: https://cloud.google.com/resource-manager/docs/creating-managing-projects ; old ones begin with `DOMAIN:`.
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]\Z")
#: https://cloud.google.com/compute/docs/regions-zones
_REGION = re.compile(r"([a-z]+-[a-z]+[0-9]+)?\Z")
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]\Z")
_CLUSTER = re.compile(r"([a-z]([a-z0-9-]{0,38}[a-z0-9])?)?\Z")
#: https://cloud.google.com/storage/docs/buckets#naming
_BUCKET = re.compile(r"([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])?\Z")
_NETWORK = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_KEY = re.compile(r"(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)?\Z")
#: https://cloud.google.com/compute/docs/labeling-resources#requirements ; plain letters only, as both sides of a filter.
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}\Z")
#: Labels of this prefix are ours.
OURS = "gpudev-"
#: The smallest disk of each type, in GiB: https://cloud.google.com/compute/docs/disks/persistent-disks#disk-types and
#: https://cloud.google.com/compute/docs/disks/hyperdisks#limits-disk
SMALLEST = {"pd-standard": 10, "pd-balanced": 10, "pd-ssd": 10, "hyperdisk-balanced": 4}
#: https://cloud.google.com/filestore/docs/service-tiers
_TIERS = ("BASIC_HDD", "BASIC_SSD", "ZONAL", "REGIONAL")
_LOCAL_NAMES = ("localhost",)


def _like(pattern: re.Pattern[str], what: str) -> Any:
    def check(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        if not pattern.match(value):
            raise ValueError(f"{attribute.name}: {value[:80]!r} is not {what}")

    return check


def _zones(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for zone in value:
        if not _ZONE.match(zone):
            raise ValueError(f"{attribute.name}: {zone[:80]!r} is not a zone such as us-central1-a")


def _location(instance: Any, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not (_ZONE.match(value) or _REGION.match(value)):
        raise ValueError(f"{attribute.name}: {value[:80]!r} is neither a zone nor a region")
    if instance.cluster and not value:
        raise ValueError(f"{attribute.name}: say where the cluster {instance.cluster!r} is: its region or its zone")


def _one_of(*lawful: str) -> Any:
    def check(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in lawful:
            raise ValueError(f"{attribute.name}: {value[:80]!r} is none of {', '.join(lawful)}")

    return check


def _provisioned(instance: Any, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name}: {value} is less than 0")
    if value and not instance.disk_type.startswith("hyperdisk-"):
        raise ValueError(f"{attribute.name}: only a Hyperdisk has it to choose, and disks are {instance.disk_type}")


def _endpoint(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value:
        return
    parts = urllib.parse.urlsplit(value)
    lawful = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(value))
    if not lawful or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"{attribute.name}: {value[:80]!r} is not https://HOST[:PORT], nor http:// of this machine")


def _labels(instance: object, attribute: attrs.Attribute[dict[str, str]], value: dict[str, str]) -> None:
    for key, text in value.items():
        if not _LABEL_KEY.match(key) or not _LABEL_VALUE.match(text):
            raise ValueError(f"{attribute.name}: {key[:63]}={text[:63]} is not a label: a-z, 0-9, - and _, at most 63")
        if key.startswith(OURS):
            raise ValueError(f"{attribute.name}: {key[:63]}: labels that begin with {OURS} are gpudev's own")


def is_this_machine(endpoint: str) -> bool:
    """Say whether an endpoint is plain HTTP on this very machine, as tests have it: no credentials are sent there."""
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname in _LOCAL_NAMES


@attrs.frozen(kw_only=True)
class GcpSettings(KubeSettings):
    """Those of any cluster, and what is Google's own."""

    project: str = attrs.field(validator=_like(_PROJECT, "the id of a project, such as my-lab-123456"))
    #: Where shared things go that are not of one zone; empty is the region of the first zone.
    region: str = attrs.field(default="", validator=_like(_REGION, "a region such as us-central1"))
    #: Where disks may be made; empty is wherever a node is.
    zones: list[str] = attrs.field(factory=list, validator=_zones)
    #: A cluster of GKE; empty is whatever `kubeconfig` and `context` name, as with any cluster.
    cluster: str = attrs.field(default="", validator=_like(_CLUSTER, "a cluster's name: a-z, 0-9 and -, at most 40"))
    #: Its region, or its zone.
    cluster_location: str = attrs.field(default="", validator=_location)
    #: The machine behind a node that is gone is off for certain: GKE's cloud controller takes a node away when its machine is.
    deleted_nodes_are_off: bool = attrs.field(default=attrs.Factory(lambda self: bool(self.cluster), takes_self=True))
    #: A private endpoint of the Compute API; empty is Google's.
    endpoint: str = attrs.field(default="", validator=_endpoint)
    #: What attaches disks, and says how many a node can have.
    volume_driver: str = "pd.csi.storage.gke.io"
    disk_type: str = attrs.field(default="pd-balanced", validator=_one_of(*SMALLEST))
    #: What a Hyperdisk is given; 0 is what Google gives one of its size.
    iops: int = attrs.field(default=0, validator=_provisioned)
    #: In MiB/s.
    throughput: int = attrs.field(default=0, validator=_provisioned)
    #: A key of Cloud KMS with which disks are encrypted; empty is Google's own.
    kms_key: str = attrs.field(
        default="", validator=_like(_KEY, "projects/P/locations/L/keyRings/R/cryptoKeys/K, the name of a key")
    )
    #: How often one process asks each API of a project: https://cloud.google.com/compute/api-quota gives a project 25/s.
    calls_per_second: float = attrs.field(default=10.0, validator=[attrs.validators.gt(0), attrs.validators.le(1000)])
    #: Put on whatever we make, beside our own.
    labels: dict[str, str] = attrs.field(factory=dict, validator=_labels)
    #: Where objects are kept (Cloud Storage); empty is nowhere.
    bucket: str = attrs.field(default="", validator=_like(_BUCKET, "a bucket's name"))
    #: What shared folders are made of (Filestore), and the network they are in.
    shared_tier: str = attrs.field(default="BASIC_HDD", validator=_one_of(*_TIERS))
    shared_network: str = attrs.field(default="default", validator=_like(_NETWORK, "a network's name"))
    #: What names a node's GPU: GPU feature discovery, and GKE itself.
    #: https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
    product_labels: list[str] = attrs.field(factory=lambda: [GPU_PRODUCT, "cloud.google.com/gke-accelerator"])

    @property
    def home_region(self) -> str:
        """Return the region, said or that of the first zone; empty if neither is said."""
        return self.region or (self.zones[0].rpartition("-")[0] if self.zones else "")
