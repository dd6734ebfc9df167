"""The abilities `Scaling` and `Spot`: places that can have more machines, or fewer, or machines that are taken away again."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod

import attrs


@attrs.frozen(kw_only=True)
class NodePool:
    """Machines of one kind that a cloud adds and removes: a managed node group, an autoscaling group, a GKE node pool."""

    name: str
    #: The cloud's name for the kind: `p5.48xlarge`, `a3-highgpu-8g`.
    machine_type: str
    #: What a node of it brings to the catalogue, by our name; None for a machine without a GPU.
    gpu_type: str | None
    gpus_per_node: int
    zones: tuple[str, ...]
    #: How many machines are asked for; how many there are, is seen in `Compute.nodes`.
    wanted: int
    minimum: int
    maximum: int
    spot: bool = False
    #: Somebody else scales it (a cluster autoscaler): it is shown, and not grown or shrunk by us.
    managed: bool = False


@attrs.frozen(kw_only=True)
class CapacityReservation:
    """Machines that are paid for whether used or not."""

    id: str
    machine_type: str
    zone: str
    total: int
    available: int
    state: str
    ends_at: dt.datetime | None = None


class Scaling(ABC):
    """A compute class whose place can grow and shrink. Laws 9.1 to 9.5.

    ```python
    class MyCompute(Compute, Scaling): ...
    ```

    Growing is by number, shrinking by name: no call of ours lets a cloud choose which machine goes.
    """

    @abstractmethod
    def node_pools(self) -> tuple[NodePool, ...]:
        """List the pools of this cluster. A partial list is an error, never an answer."""

    @abstractmethod
    def grow(self, pool: str, wanted: int) -> None:
        """Ask for so many machines in all; fewer than are asked for already change nothing.

        Raises NotFound for no such pool, Unworkable above its maximum, NoCapacity where the cloud said at once it has none.
        """

    @abstractmethod
    def remove_node(self, pool: str, node: str) -> None:
        """Remove this machine and no other, and ask for one fewer; gone is fine.

        Raises Conflict below the pool's minimum, NotFound for no such pool or a machine that is in another.
        """

    @abstractmethod
    def capacity_reservations(self) -> tuple[CapacityReservation, ...]:
        """List what is reserved for this account in the places of this cluster."""


@attrs.frozen(kw_only=True)
class Interruption:
    """A machine that the cloud takes back."""

    node: str
    #: When, where it said so; with a time zone.
    at: dt.datetime | None
    reason: str


class Spot(ABC):
    """A compute class some of whose machines can be taken back at short notice. Laws 9.6 and 9.7."""

    @abstractmethod
    def spot_nodes(self) -> tuple[str, ...]:
        """Name the nodes that can be taken back."""

    @abstractmethod
    def interruptions(self) -> tuple[Interruption, ...]:
        """Name the nodes that are being taken back now; asked at each look at a box whose node takes nobody in."""
