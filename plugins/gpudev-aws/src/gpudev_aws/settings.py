"""What an operator may say about a backend on AWS; compute, storage and what else is offered there share it."""

from __future__ import annotations

import re
from typing import Any

import attrs

from gpudev_sdk.kube.settings import GPU_PRODUCT, KubeSettings

#: `us-east-1`, `us-gov-west-1`: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}\Z")
#: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html ; empty is none.
_CLUSTER = re.compile(r"([0-9A-Za-z][A-Za-z0-9_-]{0,99})?\Z")
_ENDPOINT = re.compile(r"(https?://[A-Za-z0-9.\[\]:-]+(/[^\s]*)?)?\Z")
#: Those that a disk can be: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
VOLUME_TYPES = ("gp3", "gp2", "io1", "io2", "st1", "sc1")
#: Which of them may be told IOPS, must be, and may be told a throughput.
WITH_IOPS, NEED_IOPS, WITH_THROUGHPUT = ("gp3", "io1", "io2"), ("io1", "io2"), ("gp3",)
#: https://docs.aws.amazon.com/efs/latest/ug/API_CreateFileSystem.html ; empty is none.
_FILE_SYSTEM = re.compile(r"(fs-[0-9a-f]{8,40})?\Z")
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html ; empty is none.
_BUCKET = re.compile(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?\Z")
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
_TAG_KEY, _TAG_VALUE, _MOST_TAGS = 128, 256, 40


def _like(pattern: re.Pattern[str], what: str) -> Any:
    def check(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        if not pattern.match(value):
            raise ValueError(f"{attribute.name}: {value[:80]!r} is not {what}")

    return check


def _volume_type(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in VOLUME_TYPES:
        raise ValueError(f"volume_type: {value[:80]!r} is none of {', '.join(VOLUME_TYPES)}")


def _iops(instance: Any, attribute: attrs.Attribute[int], value: int) -> None:
    kind = instance.volume_type
    if value < 0 or (value and kind not in WITH_IOPS):
        raise ValueError(f"iops: {value} cannot be said of {kind}; leave it out")
    if not value and kind in NEED_IOPS:
        raise ValueError(f"iops: {kind} needs a number of them")


def _throughput(instance: Any, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 0 or (value and instance.volume_type not in WITH_THROUGHPUT):
        raise ValueError(f"throughput: {value} cannot be said of {instance.volume_type}; leave it out")


def _calls(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0.5 <= value <= 1000:
        raise ValueError(f"calls_per_second: {value} is not from 0.5 to 1000")


def _tags(instance: object, attribute: attrs.Attribute[Any], value: dict[str, str]) -> None:
    if len(value) > _MOST_TAGS:
        raise ValueError(f"tags: {len(value)} are more than {_MOST_TAGS}")
    for key, text in value.items():
        if key.lower().startswith(("aws:", "gpudev:")) or not 0 < len(key) <= _TAG_KEY:
            raise ValueError(f"tags: {key[:80]!r} cannot be a tag's key; those of aws: and gpudev: are taken")
        if len(text) > _TAG_VALUE:
            raise ValueError(f"tags: the value of {key[:80]!r} is longer than {_TAG_VALUE}")


@attrs.frozen(kw_only=True)
class AwsSettings(KubeSettings):
    """Those of any cluster, and what AWS adds."""

    #: Where everything is: `us-east-1`.
    region: str = attrs.field(validator=_like(_REGION, "a region such as us-east-1"))
    #: What EKS calls the cluster; empty reaches one by `kubeconfig` and `context`, as any cluster.
    cluster: str = attrs.field(default="", validator=_like(_CLUSTER, "a name of an EKS cluster"))
    #: Where every API is asked, if not at AWS's own address: a private or a test endpoint.
    endpoint: str = attrs.field(default="", validator=_like(_ENDPOINT, "an address such as https://HOST:PORT"))
    #: What disks are; IOPS and MiB/s beyond what comes with the type, 0 for just that.
    volume_type: str = attrs.field(default="gp3", validator=_volume_type)
    iops: int = attrs.field(default=0, validator=_iops)
    throughput: int = attrs.field(default=0, validator=_throughput)
    encrypted: bool = True
    #: What attaches them, and says how many a node can have.
    volume_driver: str = "ebs.csi.aws.com"
    #: The KMS key to encrypt with: its ARN, id or alias; empty is the account's default for EBS.
    kms_key: str = ""
    #: Calls that one process makes to each API at most; less while AWS says that it is too much.
    calls_per_second: float = attrs.field(default=10.0, validator=_calls)
    #: Tags that everything we make carries beside ours.
    tags: dict[str, str] = attrs.field(factory=dict, validator=_tags)
    #: The EFS file system of shared folders; empty is none.
    shared_file_system: str = attrs.field(
        default="", validator=_like(_FILE_SYSTEM, "an EFS file system such as fs-0abc")
    )
    #: The S3 bucket of objects; empty is none.
    bucket: str = attrs.field(default="", validator=_like(_BUCKET, "the name of an S3 bucket"))
    #: Node groups of `cluster` that we may grow and shrink, beside those with the tag `gpudev:install` and our install id.
    pools: list[str] = attrs.field(factory=list)
    #: With a cluster of EKS's: it removes a node's object when its instance is gone, and a box there is over then.
    deleted_nodes_are_off: bool = attrs.field(default=attrs.Factory(lambda self: bool(self.cluster), takes_self=True))

    def __attrs_post_init__(self) -> None:
        if self.kms_key and not self.encrypted:
            raise ValueError("kms_key: it says what to encrypt with, and `encrypted` is false")

    #: What names a node's GPU: GPU feature discovery, EKS Auto Mode, Karpenter.
    #: https://docs.aws.amazon.com/eks/latest/userguide/create-node-pool.html and https://karpenter.sh/docs/concepts/scheduling/
    product_labels: list[str] = attrs.field(
        factory=lambda: [GPU_PRODUCT, "eks.amazonaws.com/instance-gpu-name", "karpenter.k8s.aws/instance-gpu-name"]
    )
