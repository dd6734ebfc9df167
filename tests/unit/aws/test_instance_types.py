"""What EC2's types bring, from what DescribeInstanceTypes says of them."""

from __future__ import annotations

import pytest

from gpudev_aws import catalogue, instances
from gpudev_aws.catalogue import InstanceType

H100 = {"Name": "H100", "Manufacturer": "NVIDIA", "Count": 8, "MemoryInfo": {"SizeInMiB": 81920}}


def described(*gpus, name="p5.48xlarge", **changes):
    plain = {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": 192},
        "MemoryInfo": {"SizeInMiB": 2097152},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    }
    return plain | ({"GpuInfo": {"Gpus": list(gpus)}} if gpus else {}) | changes


def test_a_type_with_gpus_is_read_whole():
    assert catalogue.read(described(H100)) == InstanceType(
        name="p5.48xlarge",
        gpu_type="h100",
        gpus=8,
        gpu_memory_bytes=80 * 2**30,
        description="NVIDIA H100",
        cpus=192,
        memory_bytes=2 * 2**40,
        architectures=("x86_64",),
    )


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("A100", "a100"),
        ("A10G", "a10g"),
        ("T4", "t4"),
        ("T4g", "t4g"),
        ("L40S", "l40s"),
        ("V100", "v100"),
        ("B200", "b200"),
    ],
)
def test_gpus_have_the_names_that_their_nodes_will_have(product, name):
    assert catalogue.read(described(H100 | {"Name": product})).gpu_type == name


def test_a_type_without_a_gpu_is_cpu():
    found = catalogue.read(described(name="m7i.large"))

    assert (found.gpu_type, found.gpus, found.gpu_memory_bytes, found.description) == ("cpu", 0, 0, "no GPU")


def test_what_no_device_plugin_hands_out_is_no_gpu():
    assert catalogue.read(described(H100 | {"Manufacturer": "AMD", "Name": "Radeon Pro V520"})).gpu_type == "cpu"


class FakeCalls:
    """Answers for EC2, and keeps what it was asked."""

    def __init__(self, *types):
        self.types, self.asked = types, []

    def one(self, what, operation, *, InstanceTypes):
        self.asked.append(InstanceTypes)
        return {"InstanceTypes": [each for each in self.types if each["InstanceType"] in InstanceTypes]}

    def list(self, what, operation, key, page):
        return list(self.types)


def test_types_are_asked_for_once_each_a_hundred_at_a_time():
    calls = FakeCalls(described(H100))

    found = catalogue.describe(calls, ["p5.48xlarge", *(f"m{n}.large" for n in range(149)), "p5.48xlarge"])

    assert [each.name for each in found] == ["p5.48xlarge"]
    assert [len(some) for some in calls.asked] == [100, 50]


def test_all_types_with_a_gpu_are_found():
    calls = FakeCalls(described(H100), described(name="m7i.large"))

    assert [each.name for each in catalogue.with_gpus(calls)] == ["p5.48xlarge"]


@pytest.mark.parametrize(
    ("provider_id", "found"),
    [("aws:///us-east-1a/i-0123456789abcdef0", "i-0123456789abcdef0"), ("kind://docker/x/y", None), ("node-a", None),
     ("aws:///us-east-1a/i-0123456789abcdef0/more", None), ("gce://x/y/i-01234567", None)],
)  # fmt: skip
def test_only_what_the_clouds_controller_says_is_an_instance(provider_id, found):
    assert instances.instance_id(provider_id) == found
