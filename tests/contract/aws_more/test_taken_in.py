"""The plugin's own classes have what is tested here piece by piece."""

from __future__ import annotations

import pytest

from gpudev_aws.compute import AwsCompute
from gpudev_aws.identity import AwsIdentity
from gpudev_aws.storage import AwsStorage
from gpudev_sdk import config
from gpudev_sdk.errors import ConfigError, MissingAbility
from gpudev_sdk.providers import ObjectStorage, Scaling, SharedStorage, Spot, Storage
from gpudev_sdk.providers.shares import ShareRef


def test_compute_grows_and_tells_of_spot_and_storage_has_blobs_and_shares():
    assert issubclass(AwsCompute, Scaling)
    assert issubclass(AwsCompute, Spot)
    assert issubclass(AwsStorage, Storage)
    assert issubclass(AwsStorage, ObjectStorage)
    assert issubclass(AwsStorage, SharedStorage)


@pytest.fixture
def storage(settings, context):
    built = []

    def make(**changes):
        built.append(AwsStorage(settings(**changes), context))
        return built[-1]

    yield make
    for each in built:
        each.session.close()


def test_blobs_and_shares_are_where_the_backends_settings_say(storage, hand, context):
    hand("s3").create_bucket(Bucket="gpudev-taken-in")
    system = hand("efs").create_file_system(CreationToken="taken-in")["FileSystemId"]
    made = storage(bucket="gpudev-taken-in", shared_file_system=system)

    made.put_object("a", b"1")

    assert made.find_object("a")[1] == b"1"
    assert made.list_shares() == ()


def test_without_settings_for_them_disks_are_all_there_is(storage, context):
    plain = storage()

    assert plain.list_volumes() == ()
    nobody = ShareRef(share_id=context.install_id)
    for call in (plain.list_objects, plain.list_shares, lambda: plain.get_share(nobody)):
        with pytest.raises(MissingAbility):
            call()


def test_pools_are_those_of_the_backends_cluster(settings, context, hand):
    compute = AwsCompute(settings(cluster="taken-in", pools=["gpus"]), context)
    subnets = [each["SubnetId"] for each in hand("ec2").describe_subnets()["Subnets"]][:2]
    role = "arn:aws:iam::123456789012:role/cluster"
    hand("eks").create_cluster(name="taken-in", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})

    assert compute.node_pools() == ()
    compute.session.close()


def test_a_login_is_configured_by_its_own_table(context):
    table = {"region": "us-east-1", "accounts": ["123456789012"], "roles": ["Research_*"]}

    login = config.build_login({"provider": "aws", "aws": table}, context)

    assert isinstance(login.identity, AwsIdentity)
    assert login.public == {"region": "us-east-1"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"accounts": []}, "everybody on AWS"),
        ({"region": "us-east-1.evil.example"}, "not a region"),
        ({"endpoint": "http://sts.example"}, "not https"),
        ({"secret": "x"}, "does not know 'secret'"),
    ],
)
def test_a_mistake_in_a_login_is_refused_with_the_name_of_the_table(context, changes, words):
    table = {"region": "us-east-1", "accounts": ["123456789012"], "roles": ["Research_*"]} | changes

    with pytest.raises(ConfigError, match=r"\[logins\.aws\.aws\]") as raised:
        config.build_login({"provider": "aws", "aws": table}, context)
    assert words in raised.value.message
