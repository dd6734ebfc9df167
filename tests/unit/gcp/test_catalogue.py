"""Which GPUs machine types have."""

from __future__ import annotations

import pytest

from gpudev_gcp.catalogue import gpus_of, machine_types
from gpudev_sdk.domain.names import LABEL


@pytest.mark.parametrize(
    ("machine_type", "gpu_type", "count"),
    [
        ("a2-highgpu-2g", "a100", 2),
        ("a2-megagpu-16g", "a100", 16),
        ("a2-ultragpu-8g", "a100", 8),
        ("a3-highgpu-8g", "h100", 8),
        ("a3-megagpu-8g", "h100-mega", 8),
        ("a3-ultragpu-8g", "h200", 8),
        ("a4-highgpu-8g", "b200", 8),
        ("g2-standard-12", "l4", 1),
        ("g2-standard-96", "l4", 8),
    ],
)
def test_a_machine_type_has_the_gpus_that_google_says(machine_type, gpu_type, count):
    found = gpus_of(machine_type)

    assert (found.gpu_type, found.count) == (gpu_type, count)
    assert LABEL.match(found.gpu_type)


@pytest.mark.parametrize("machine_type", ["n2-standard-8", "n1-standard-4", ""])
def test_a_machine_type_without_gpus_of_its_own_has_none(machine_type):
    assert gpus_of(machine_type) is None


def test_the_machine_types_of_a_gpu_come_smallest_first():
    assert machine_types("h100") == (
        "a3-highgpu-1g",
        "a3-highgpu-2g",
        "a3-highgpu-4g",
        "a3-edgegpu-8g",
        "a3-highgpu-8g",
    )
    assert machine_types("b9000") == ()
