"""AWS in front of the test cluster: moto's EC2, EKS and IAM, with disks that have content and are attached to the node."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import pathlib
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlsplit

import attrs
import boto3
import pytest
from botocore.exceptions import ClientError

from gpudev_aws.cluster import sign
from gpudev_aws.session import Session
from tests.cluster.clouds.attaching import NotAttached
from tests.cluster.clouds.door import Door, Person
from tests.cluster.clouds.shelf import Shelf
from tests.contract.aws.weather import Weather

DRIVER = "ebs.csi.aws.com"
REGION, ZONE, CLUSTER = "us-east-2", "us-east-2a", "gpu"
#: Whom the cluster knows by an access entry, as docs/plugins/aws.md has it made.
GROUP = "gpudev"
#: A node of EKS: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html
LABELS = {
    "topology.kubernetes.io/zone": ZONE,
    "node.kubernetes.io/instance-type": "p5.48xlarge",
    "eks.amazonaws.com/nodegroup": "gpu",
}
_PREFIX, _HEADER = "k8s-aws-v1.", "x-k8s-aws-id"
#: How old a question may be: https://github.com/kubernetes-sigs/aws-iam-authenticator
_OLDEST = dt.timedelta(minutes=15)
_NOTHING = hashlib.sha256(b"").hexdigest()


@attrs.define
class Ebs(Weather):
    """moto's EC2, where what is on a volume goes into its snapshots and from there."""

    shelf: Shelf = attrs.field(kw_only=True)

    def copy(self, action: str, asked: dict[str, str], answer: bytes) -> None:
        """Do to content what EC2 has just said that it did."""
        volume, snapshot = (re.search(rb"<%sId>([^<]+)" % kind, answer) for kind in (b"volume", b"snapshot"))
        if action == "CreateVolume" and volume:
            self.shelf.make(volume[1].decode(), asked.get("SnapshotId", ""))
        elif action == "CreateSnapshot" and snapshot:
            self.shelf.take(snapshot[1].decode(), asked["VolumeId"])
        elif b"<return>true" in answer and action == "DeleteVolume":
            self.shelf.lose_disk(asked["VolumeId"])
        elif b"<return>true" in answer and action == "DeleteSnapshot":
            self.shelf.lose_snapshot(asked["SnapshotId"])


@attrs.define
class Aws:
    """The cloud."""

    weather: Ebs
    #: As whoever runs the account has it.
    ec2: object
    #: The node's instance.
    machine: str
    #: Who gpudev is: an ARN, and the key that it signs with.
    arn: str
    key: dict[str, str]
    #: The way into its cluster.
    door: Door | None = None

    name, driver, labels = "aws", DRIVER, LABELS

    @property
    def subject(self) -> dict[str, str]:
        """Return whom the cluster gives rights to."""
        return {"kind": "Group", "name": GROUP}

    @property
    def environment(self) -> dict[str, str]:
        """Return by what the plugin knows who it is."""
        nowhere = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/nowhere")
        named = {"AWS_ACCESS_KEY_ID": self.key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": self.key["SecretAccessKey"]}
        return named | nowhere | {"AWS_EC2_METADATA_DISABLED": "true"}

    def settings(self) -> str:
        """Return what a backend on it is configured with."""
        return f"""
region = "{REGION}"
endpoint = "{self.weather.address}"
cluster = "{CLUSTER}"
calls_per_second = 1000
"""

    def types(self) -> str:
        """Return which nodes have which GPU."""
        return '{ "node.kubernetes.io/instance-type" = "p5.48xlarge" }'

    def show(self, door: Door) -> None:
        """Have EKS say where its cluster is."""
        encoded = base64.b64encode(door.ca_pem.encode())

        def shown(content: bytes) -> bytes:
            content = re.sub(rb'"endpoint": ?"[^"]*"', f'"endpoint": "https://{door.address}"'.encode(), content)
            return re.sub(rb'("certificateAuthority": ?\{"data": ?)"[^"]*"', rb'\1"' + encoded + rb'"', content)

        self.weather.replace[f"/clusters/{CLUSTER}"], self.door = shown, door

    def token(self, cluster: str = CLUSTER) -> str:
        """Return what the plugin shows a cluster."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with contextlib.closing(Session(REGION, self.weather.address, 1000.0)) as session:
                return sign(session, cluster)

    def who(self, token: str) -> Person | None:
        """Say whose a token is, as EKS does: a question to STS, well signed, for this cluster, not long ago.

        STS would be asked it and look at the signature; moto looks at none, so that is done here.
        """
        try:
            where = urlsplit(base64.urlsafe_b64decode(token.removeprefix(_PREFIX) + "==").decode())
            query = dict(parse_qsl(where.query))
            signed_at = dt.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        except (ValueError, KeyError):
            return None
        is_for_sts = f"http://{where.netloc}" == self.weather.address and query.get("Action") == "GetCallerIdentity"
        is_new = dt.datetime.now(dt.UTC) - signed_at <= _OLDEST
        if not (token.startswith(_PREFIX) and is_for_sts and is_new and _is_signed(where, self.key)):
            return None
        return Person(user=self.arn, group=GROUP)

    def attach(self, handle: str) -> None:
        """Attach a volume to the node's instance; one that is already stays so."""
        try:
            (found,) = self.ec2.describe_volumes(VolumeIds=[handle])["Volumes"]
            if not found["Attachments"]:
                self.ec2.attach_volume(VolumeId=handle, InstanceId=self.machine, Device=f"/dev/{handle}")
        except ClientError as error:
            raise NotAttached(str(error)) from error

    def detach(self, handle: str) -> None:
        """Detach a volume; one that is not attached, or gone, is done."""
        with contextlib.suppress(ClientError):
            self.ec2.detach_volume(VolumeId=handle, InstanceId=self.machine)

    def disks(self) -> dict[str, tuple[str, ...]]:
        """Return the disks there are of ours, and which machines have each, as the cloud says."""
        found = self.ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["gpudev:install"]}])["Volumes"]
        return {each["VolumeId"]: tuple(one["InstanceId"] for one in each["Attachments"]) for each in found}


@contextlib.contextmanager
def made(folder: pathlib.Path) -> Iterator[Aws]:
    """Have an account with a cluster, the machine of its one node, and a user that is gpudev."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        weather = Ebs("http://{}:{}".format(*server.get_host_and_port()), shelf=Shelf(folder))
        ec2, eks, iam = (_client(weather.behind, name) for name in ("ec2", "eks", "iam"))
        image = ec2.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
        asked = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "p5.48xlarge"}
        machine = ec2.run_instances(**asked, Placement={"AvailabilityZone": ZONE})["Instances"][0]
        role = "arn:aws:iam::123456789012:role/eks"
        eks.create_cluster(name=CLUSTER, roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]})
        arn = iam.create_user(UserName="gpudev")["User"]["Arn"]
        key = iam.create_access_key(UserName="gpudev")["AccessKey"]
        try:
            yield Aws(weather, ec2, machine["InstanceId"], arn, key)
        finally:
            for each in (weather, ec2, eks, iam):
                each.close()
            server.stop()


def _client(address: str, service: str):
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}
    return boto3.Session(**keys).client(service, endpoint_url=address)


def _is_signed(where, key: dict[str, str]) -> bool:
    """Say whether an address is well signed, and for this cluster among all.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    pairs = parse_qsl(where.query)
    query = dict(pairs)
    scope = query.get("X-Amz-Credential", "").partition("/")[2]
    signed = query.get("X-Amz-SignedHeaders", "")
    if signed != f"host;{_HEADER}" or query["X-Amz-Credential"].partition("/")[0] != key["AccessKeyId"]:
        return False
    asked = "&".join(f"{quote(k, '-_.~')}={quote(v, '-_.~')}" for k, v in sorted(pairs) if k != "X-Amz-Signature")
    canonical = f"GET\n/\n{asked}\nhost:{where.netloc}\n{_HEADER}:{CLUSTER}\n\n{signed}\n{_NOTHING}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    made = f"AWS4{key['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(made.hex(), query.get("X-Amz-Signature", ""))
