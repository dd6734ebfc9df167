"""The public laws on a real account: `pytest -m cloud tests/contract/aws`, with credentials as boto3 finds them.

`TEST_AWS_REGION` and `TEST_AWS_ZONE` say where; `TEST_AWS_INSTANCE`, an instance in that zone, lets volumes be attached;
`TEST_AWS_CLUSTER` has boxes run there as well. What is made carries the install id of its test, and is removed by it.
"""

from __future__ import annotations

import contextlib
import os
import uuid

import boto3
import pytest

from gpudev_aws.compute import AwsCompute
from gpudev_aws.settings import AwsSettings
from gpudev_aws.storage import AwsStorage
from gpudev_sdk.domain.disk import VolumeSpec
from gpudev_sdk.testing import ComputeContract, SnapshotContract, StorageContract

pytestmark = pytest.mark.cloud


def given(name: str) -> str:
    # Not GPUDEV_…: the tests run without any variable of that kind.
    value = os.environ.get(f"TEST_AWS_{name}", "")
    if not value:
        pytest.fail(f"set TEST_AWS_{name}: the head of this file says to what")
    return value


@pytest.fixture
def credentials():
    """Those of whoever runs it, and not the ones of no one that the other tests have."""


@pytest.fixture
def settings():
    return AwsSettings(
        region=given("REGION"), cluster=os.environ.get("TEST_AWS_CLUSTER", ""), tags={"gpudev-test": "yes"}
    )


def cleaned(storage: AwsStorage):
    """Yield a storage, and remove all that carries its install id."""
    yield storage
    for seen in storage.list_snapshots():
        found = storage._shelf.find_snapshot(seen.snapshot_id, seen.handle)
        if found is not None:
            storage._calls.one("clean up", "delete_snapshot", SnapshotId=found["SnapshotId"])
    for seen in storage.list_volumes():
        found = storage._shelf.find_volume(seen.volume_id, seen.handle)
        if found is not None and found["State"] != "deleting":
            storage._calls.one("clean up", "delete_volume", VolumeId=found["VolumeId"])
    storage.session.close()


class OnAccount:
    #: AWS is further away than a machine, and a snapshot of an empty volume takes minutes at times.
    budget, patience = 20.0, 600.0

    @pytest.fixture
    def spec(self, node):
        ids = {"volume_id": uuid.uuid4(), "disk_id": uuid.uuid4()}
        return VolumeSpec(**ids, owner_number=1, size_bytes=2**30, node=node, zone=given("ZONE"))

    @pytest.fixture
    def storage(self, settings, context):
        self.region = settings.region
        yield from cleaned(AwsStorage(settings, context))

    @pytest.fixture
    def other_storage(self, settings, other_context):
        yield from cleaned(AwsStorage(settings, other_context))


class TestStorage(OnAccount, StorageContract):
    @contextlib.contextmanager
    def attached(self, mount):
        ec2 = boto3.client("ec2", region_name=self.region)
        asked = {"VolumeId": mount.source.partition("/")[2], "InstanceId": given("INSTANCE")}
        ec2.attach_volume(Device="/dev/sdz", **asked)
        ec2.get_waiter("volume_in_use").wait(VolumeIds=[asked["VolumeId"]])
        yield
        ec2.detach_volume(**asked)
        ec2.get_waiter("volume_available").wait(VolumeIds=[asked["VolumeId"]])
        ec2.close()


class TestSnapshots(OnAccount, SnapshotContract):
    def write(self, mount, content):
        """Write nothing: that takes a machine that has it mounted, as the journeys on a cluster do."""

    def read(self, mount):
        pytest.skip("missing ability: EC2 shows no content of a volume")


class TestCompute(ComputeContract):
    budget, patience = 20.0, 600.0

    @pytest.fixture
    def compute(self, settings, context):
        given("CLUSTER")
        made = AwsCompute(settings, context)
        yield made
        made._view.stop()
        made.session.close()
