"""Which GPUs the machine types of Google have, and what gpudev calls them. Facts, and pure.

Accelerator-optimized types: https://cloud.google.com/compute/docs/accelerator-optimized-machines
Accelerators, as a node's label `cloud.google.com/gke-accelerator` names them: https://cloud.google.com/compute/docs/gpus
"""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.gpu import type_name

#: A node's label at GKE: https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
_A100, _A100_80, _H100, _H100_MEGA = (
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
    "nvidia-h100-mega-80gb",
)
_H200, _L4 = "nvidia-h200-141gb", "nvidia-l4"
#: The GPUs of a machine type: which accelerator, and how many.
_MACHINES: dict[str, tuple[str, int]] = {
    **{f"a2-highgpu-{count}g": (_A100, count) for count in (1, 2, 4, 8)},
    "a2-megagpu-16g": (_A100, 16),
    **{f"a2-ultragpu-{count}g": (_A100_80, count) for count in (1, 2, 4, 8)},
    **{f"a3-highgpu-{count}g": (_H100, count) for count in (1, 2, 4, 8)},
    "a3-edgegpu-8g": (_H100, 8),
    "a3-megagpu-8g": (_H100_MEGA, 8),
    "a3-ultragpu-8g": (_H200, 8),
    "a4-highgpu-8g": ("nvidia-b200", 8),
    "a4x-highgpu-4g": ("nvidia-gb200", 4),
    **{f"g2-standard-{cpus}": (_L4, 1) for cpus in (4, 8, 12, 16, 32)},
    "g2-standard-24": (_L4, 2),
    "g2-standard-48": (_L4, 4),
    "g2-standard-96": (_L4, 8),
}


@attrs.frozen
class Gpus:
    """The GPUs of a machine."""

    accelerator: str
    count: int

    @property
    def gpu_type(self) -> str:
        """Return what gpudev calls the type."""
        return type_name(self.accelerator)


def gpus_of(machine_type: str) -> Gpus | None:
    """Return the GPUs that come with a machine type; None for one without, or where they are chosen one by one (N1)."""
    found = _MACHINES.get(machine_type)
    return Gpus(*found) if found is not None else None


def machine_types(gpu_type: str) -> tuple[str, ...]:
    """Return the machine types that have a type of GPU, smallest first."""
    same = [(found[1], name) for name, found in _MACHINES.items() if type_name(found[0]) == gpu_type]
    return tuple(name for _, name in sorted(same))
