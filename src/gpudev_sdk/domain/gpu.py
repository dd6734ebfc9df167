"""The catalogue: which GPU types there are and what a share of a node brings."""

from __future__ import annotations

import datetime as dt
import re

import attrs

GIB = 1024**3
#: Words of a product name that say who made it, how it is mounted or how much memory it has.
_NOISE = re.compile(
    r"(nvidia|geforce|tesla|quadro|graphics|device|generation|gpu|sxm\d*|pcie?|nvl\d*|hbm\d*e?|\d+gb|corporation)\Z"
)


@attrs.frozen(kw_only=True)
class GpuType:
    """A catalogue entry, as a backend's compute reports it."""

    #: `h100`, `h100-mig-1g`, `cpu`.
    name: str
    #: GPUs of this type on one node; 0 for a CPU-only type.
    gpus_per_node: int
    #: How many reservations share a node of a CPU-only type; for GPU types the slots are the GPUs.
    slots_per_node: int = 0
    #: CPUs and bytes of memory of the node, shared out by slot.
    cpus: float = 0.0
    memory_bytes: int = 0
    #: For people: `NVIDIA H100 80GB HBM3`.
    description: str = ""
    #: What a scheduler calls it, `nvidia.com/gpu`; empty where the backend places by itself.
    resource: str = ""
    labels: dict[str, str] = attrs.field(factory=dict)
    #: The longest reservation, or None for the install's own limit.
    max_duration: dt.timedelta | None = None
    #: Made up by the operator for trials; nothing stands behind it.
    pretended: bool = False
    #: One reservation may have several whole nodes of it, all at once (the ability `Gang`).
    gang: bool = False
    #: What boxes of it may be asked to be allowed, by name (`domain.profiles`).
    profiles: tuple[str, ...] = ()

    @property
    def is_cpu(self) -> bool:
        """Whether boxes of this type have no GPU."""
        return self.gpus_per_node == 0

    @property
    def slots(self) -> int:
        """Slots on one node: the GPUs, or `slots_per_node` for a CPU-only type."""
        return self.gpus_per_node or self.slots_per_node

    def slots_for(self, gpus: int, nodes: int = 1) -> int:
        """Slots on each node that `gpus` GPUs a node take: as many, or one of a CPU-only type; of a gang, the whole node."""
        if nodes > 1:
            return self.slots
        return 1 if self.is_cpu else gpus


@attrs.frozen(kw_only=True)
class Slot:
    """One GPU of a node (or one place of a CPU-only type), and what holds it outside gpudev."""

    gpu_type: str
    index: int
    #: The device's own name (a GPU UUID), empty for CPU places.
    device: str = ""
    #: `user, pid` of a process that is not ours, or None.
    busy_outside: str | None = None


@attrs.frozen(kw_only=True)
class Node:
    """A machine as compute sees it now."""

    name: str
    slots: tuple[Slot, ...]
    zone: str = "local"
    schedulable: bool = True
    #: Why nothing may start there, in words; empty when schedulable.
    reason: str = ""
    #: How many of our volumes can be there at once, those that are there now among them; None: no limit is known.
    volumes: int | None = None


@attrs.frozen(kw_only=True)
class Instance:
    """The rented or owned machine behind a node, in the cloud's own words."""

    id: str
    type: str
    zone: str
    state: str


def type_name(product: str) -> str:
    """Make a GPU type's name from a product name: `NVIDIA H100 80GB HBM3` is `h100`."""
    words = [word for word in re.split(r"[^a-z0-9]+", product.lower()) if word and not _NOISE.match(word)]
    return "-".join(words)[:60].strip("-") or "gpu"
