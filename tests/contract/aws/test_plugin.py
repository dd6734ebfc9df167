"""The laws of a plugin over the one for AWS, and how it is configured."""

from __future__ import annotations

import pytest

from gpudev_aws import storage
from gpudev_aws.settings import AwsSettings
from gpudev_sdk import config
from gpudev_sdk.errors import ConfigError
from gpudev_sdk.testing import PluginContract

TABLE = {"compute": "aws", "storage": "aws"}


class TestPlugin(PluginContract):
    entry_point = "aws"

    def test_it_offers_boxes_disks_and_a_login(self, plugin):
        assert plugin.offers == ("compute", "storage", "identity")


def test_compute_and_storage_share_a_table():
    aws = {"region": "eu-west-1", "cluster": "lab", "tags": {"team": "ml"}, "iops": 4000, "namespace": "boxes"}

    found = config.read_backend(TABLE | {"aws": aws}, "lab")

    assert found.compute_settings == found.storage_settings == AwsSettings(**aws)


@pytest.mark.parametrize(
    ("aws", "what"),
    [
        ({}, "region"),
        ({"region": "here"}, "'here' is not a region"),
        ({"region": "us-east-1", "zone": "a"}, "does not know 'zone'"),
        ({"region": "us-east-1", "endpoint": "somewhere"}, "is not an address"),
        ({"region": "us-east-1", "volume_type": "gp9"}, "none of gp3"),
        ({"region": "us-east-1", "volume_type": "gp2", "iops": 4000}, "cannot be said of gp2"),
        ({"region": "us-east-1", "volume_type": "io2"}, "io2 needs a number"),
        ({"region": "us-east-1", "volume_type": "io2", "iops": 100, "throughput": 200}, "cannot be said of io2"),
        ({"region": "us-east-1", "encrypted": False, "kms_key": "alias/x"}, "kms_key"),
        ({"region": "us-east-1", "tags": {"gpudev:install": "x"}}, "cannot be a tag's key"),
        ({"region": "us-east-1", "tags": {"AWS:x": "x"}}, "cannot be a tag's key"),
        ({"region": "us-east-1", "tags": {"a": "x" * 257}}, "longer than 256"),
        ({"region": "us-east-1", "tags": {f"t{n}": "" for n in range(41)}}, "more than 40"),
        ({"region": "us-east-1", "calls_per_second": 0}, "calls_per_second"),
        ({"region": "us-east-1", "bucket": "No_Bucket"}, "name of an S3 bucket"),
        ({"region": "us-east-1", "shared_file_system": "efs"}, "an EFS file system"),
        ({"region": "us-east-1", "namespace": "Not One"}, "not a name of Kubernetes"),
    ],
)
def test_a_mistake_is_refused_with_the_name_of_the_table(aws, what):
    with pytest.raises(ConfigError, match=r"\[backends\.lab\.aws\]") as caught:
        config.read_backend(TABLE | {"aws": aws}, "lab")
    assert what in caught.value.message


def test_a_node_that_is_gone_has_no_machine_where_eks_keeps_them():
    assert AwsSettings(region="us-east-1", cluster="lab").deleted_nodes_are_off
    assert not AwsSettings(region="us-east-1").deleted_nodes_are_off
    assert not AwsSettings(region="us-east-1", cluster="lab", deleted_nodes_are_off=False).deleted_nodes_are_off


def test_who_attaches_disks_is_asked_how_many_a_node_can_have():
    assert AwsSettings(region="us-east-1").volume_driver == storage.DRIVER
