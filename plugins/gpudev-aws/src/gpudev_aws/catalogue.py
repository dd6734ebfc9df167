"""What EC2's types of instances bring: GPUs, under the names that their nodes will have, and their memory.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GpuInfo.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from gpudev_aws.calls import Calls
from gpudev_aws.tags import Json
from gpudev_sdk.domain.gpu import type_name
from gpudev_sdk.kube.catalogue import CPU

_MIB = 2**20
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
_PAGE, _MOST_NAMES = 100, 100


@attrs.frozen(kw_only=True)
class InstanceType:
    """One type of instance, as boxes see it."""

    #: EC2's own name: `p5.48xlarge`.
    name: str
    #: The GPU type, as a node of it is listed: `h100`; `cpu` without a GPU.
    gpu_type: str
    gpus: int
    #: Memory of one GPU; 0 without one.
    gpu_memory_bytes: int
    #: For people: `NVIDIA H100`.
    description: str
    cpus: int
    memory_bytes: int
    #: `x86_64`, `arm64`.
    architectures: tuple[str, ...] = ()


def describe(calls: Calls, names: Iterable[str]) -> tuple[InstanceType, ...]:
    """Ask EC2 for these types; one that the region does not have is an error."""
    found = [
        read(each)
        for some in _some(sorted(set(names)))
        for each in calls.one("see the types of instances", "describe_instance_types", InstanceTypes=some)[
            "InstanceTypes"
        ]
    ]
    return tuple(found)


def with_gpus(calls: Calls) -> tuple[InstanceType, ...]:
    """Ask EC2 for all types of the region that have a GPU which a node can hand out."""
    listed = calls.list("see the types of instances", "describe_instance_types", "InstanceTypes", _PAGE)
    return tuple(found for found in map(read, listed) if found.gpus)


def read(found: Json) -> InstanceType:
    """Return what a type brings. Of several kinds of GPU, which no type has yet, the first counts. Pure."""
    # Others than NVIDIA's are not handed out by the device plugin that nodes have.
    gpus = [each for each in (found.get("GpuInfo") or {}).get("Gpus") or [] if each.get("Manufacturer") == "NVIDIA"]
    first = gpus[0] if gpus else {}
    product = f"NVIDIA {first['Name']}" if first else ""
    return InstanceType(
        name=found["InstanceType"],
        gpu_type=type_name(product) if product else CPU,
        gpus=int(first.get("Count") or 0),
        gpu_memory_bytes=int((first.get("MemoryInfo") or {}).get("SizeInMiB") or 0) * _MIB,
        description=product or "no GPU",
        cpus=int(found["VCpuInfo"]["DefaultVCpus"]),
        memory_bytes=int(found["MemoryInfo"]["SizeInMiB"]) * _MIB,
        architectures=tuple(sorted((found.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ())),
    )


def _some(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _MOST_NAMES):
        yield names[start : start + _MOST_NAMES]
