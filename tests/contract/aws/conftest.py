"""moto's server on this machine, and a proxy before it that makes weather. Real boto3 on both sides of it."""

from __future__ import annotations

import time
import uuid

import attrs
import pytest

from gpudev_aws.settings import AwsSettings
from gpudev_aws.storage import AwsStorage
from gpudev_sdk import clock
from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec, VolumeRef, VolumeSpec
from tests.contract.aws import account
from tests.contract.aws.weather import Weather

credentials, moto, hand, context = account.credentials, account.moto, account.hand, account.context


@attrs.frozen
class Cloud:
    """EC2 as whoever runs the account has it, without weather."""

    ec2: object
    node: str
    instance: str
    zone: str

    def volumes(self, install: uuid.UUID) -> list[dict]:
        """Return what carries an install's id."""
        filters = [{"Name": "tag:gpudev:install", "Values": [str(install)]}]
        return self.ec2.describe_volumes(Filters=filters)["Volumes"]

    def snapshots(self, install: uuid.UUID) -> list[dict]:
        filters = [{"Name": "tag:gpudev:install", "Values": [str(install)]}]
        return self.ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]

    def copy_volume(self, handle: str) -> str:
        """Make another volume with all tags of one, as somebody's scanner does."""
        (first,) = self.ec2.describe_volumes(VolumeIds=[handle])["Volumes"]
        kind = [{"ResourceType": "volume", "Tags": first["Tags"]}]
        return self.ec2.create_volume(AvailabilityZone=self.zone, Size=1, TagSpecifications=kind)["VolumeId"]


@pytest.fixture(scope="session")
def cloud(hand):
    """An account with one instance, whose private name is a node's."""
    ec2 = hand("ec2")
    image = ec2.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    zone = made["Placement"]["AvailabilityZone"]
    return Cloud(ec2, made["PrivateDnsName"], made["InstanceId"], zone)


@pytest.fixture(scope="session")
def proxy(moto):
    made = Weather(moto)
    yield made
    made.close()


@pytest.fixture
def weather(proxy):
    """The weather of one test, fair at first."""
    proxy.clear()
    return proxy


@pytest.fixture
def settings(weather):
    return AwsSettings(region=account.REGION, endpoint=weather.address, calls_per_second=1000.0)


@pytest.fixture
def make(settings):
    """Return what builds a storage, as a process has it that just started."""
    built = []

    def storage(context, chosen=None):
        built.append(AwsStorage(chosen or settings, context))
        return built[-1]

    yield storage
    for each in built:
        each.session.close()


@pytest.fixture
def storage(make, context):
    return make(context)


@pytest.fixture
def spec(cloud):
    return VolumeSpec(volume_id=uuid.uuid4(), disk_id=uuid.uuid4(), owner_number=1, size_bytes=2**30, node=cloud.node)


@pytest.fixture
def volume(storage, spec):
    handle = storage.create_volume(spec)
    return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id, handle=handle)


@pytest.fixture
def taking(volume):
    return SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)


@pytest.fixture
def snapshot(storage, taking):
    handle = storage.create_snapshot(taking)
    return SnapshotRef(snapshot_id=taking.snapshot_id, disk_id=taking.volume.disk_id, handle=handle)


@pytest.fixture
def passing():
    """Return a function that lets seconds pass on the clock of this process."""
    ahead = [0.0]
    clock.install(lambda: time.monotonic() + ahead[0])

    def let_pass(seconds):
        ahead[0] += seconds

    yield let_pass
    clock.install(None)
