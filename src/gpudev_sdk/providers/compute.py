"""Compute: where dev servers run.

Laws that hold for every method (numbered in docs/plugins/contract.md, tested by `gpudev_sdk.testing`): it returns at
once and never waits; asking twice is asking once; what is already gone is not an error; it touches only what carries
our install id; an unknown answer is never "absent"; vendor exceptions leave as `gpudev_sdk.errors.ProviderError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.domain.gpu import GpuType, Instance, Node
from gpudev_sdk.domain.server import Claim, ServerId, ServerSpec, Sighting
from gpudev_sdk.errors import NotFound
from gpudev_sdk.providers.context import Context


class Compute(ABC):
    """A place where dev servers run.

    ```python
    class MyCompute(Compute):
        Settings = MySettings

        def __init__(self, settings: MySettings, context: Context) -> None: ...
    ```
    """

    #: An attrs class; the backend's sub-table of the configuration is structured into it.
    Settings: ClassVar[type[Any]]
    #: How its boxes can have a disk; a backend whose storage hands its volumes over in another way is refused.
    takes: ClassVar[frozenset[MountKind]] = frozenset(MountKind)
    #: Whether its boxes run on this very machine; None is not said.
    is_here: ClassVar[bool | None] = None

    @abstractmethod
    def __init__(self, settings: Any, context: Context) -> None:
        """Keep settings and context; open nothing yet."""

    @abstractmethod
    def gpu_types(self) -> tuple[GpuType, ...]:
        """List the types this backend offers."""

    def get_availability_zones(self) -> tuple[str, ...]:
        """List the zones in which nodes may be: those of the nodes there are, unless a place says more."""
        return tuple(sorted({node.zone for node in self.nodes()}))

    def list_instances(self) -> tuple[Instance, ...]:
        """List the machines behind the nodes, as whoever lends them has them; there are none unless a place says so."""
        return ()

    def get_instance(self, instance_id: str) -> Instance:
        """Return one machine of the list; raise NotFound if there is none of that id."""
        for instance in self.list_instances():
            if instance.id == instance_id:
                return instance
        raise NotFound(f"there is no machine {instance_id[:80]!r}")

    @abstractmethod
    def nodes(self) -> tuple[Node, ...]:
        """List nodes with their slots, also those where nothing may start, each with its reason."""

    @abstractmethod
    def launch(self, spec: ServerSpec) -> None:
        """Start a server, or do nothing if this one was ever launched or has a tombstone.

        Called again with the same spec after a lost answer. Raises NoCapacity (stays in line), TryLater, or Unworkable
        (the reservation fails with the message shown to the person).
        """

    @abstractmethod
    def observe(self, server_id: ServerId) -> Sighting:
        """Say what is there now. `absent` only when it was seen that nothing of this attempt runs."""

    @abstractmethod
    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        """Make /run/gpudev in the box exactly these files, within a second; running sessions see them.

        Files: `authorized_keys`, `host_key`, `host_key-cert.pub`, `reservation.json`, `notice` (text for every
        terminal; a new content is shown once). Does nothing if the server is gone.
        """

    @abstractmethod
    def terminate(self, server_id: ServerId) -> None:
        """Stop the server and remove all that launch made, leaving a tombstone for an hour that `launch` reads first.

        Called again until `observe` says absent: first it asks the box to end and sync, later calls enforce it once
        the stop allowance has passed. Never touches the disk's content.
        """

    @abstractmethod
    def list_servers(self) -> tuple[ServerId, ...]:
        """List every server of this install, wanted or not. A partial list is an error (TryLater), never an answer."""

    @abstractmethod
    def read_claim(self) -> Claim | None:
        """Return who controls this backend, or None if nobody ever did."""

    @abstractmethod
    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        """Replace `expected` by `new` at once and atomically; raise Conflict if the claim is another."""

    def describe(self) -> dict[str, str]:
        """Say what people should know of this backend, such as `isolation: sandbox`."""
        return {}
