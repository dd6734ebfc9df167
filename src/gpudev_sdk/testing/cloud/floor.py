"""Which slots of which nodes are free, and who gets them: a server has all of its own or does not start."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from gpudev_sdk.domain.server import Peer, ServerId, ServerSpec
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.testing.cloud.ledger import Ledger
from gpudev_sdk.testing.cloud.shelf import Shelf
from gpudev_sdk.testing.cloud.sky import Sky
from gpudev_sdk.testing.cloud.truth import CloudNode, CloudServer, Overbooking

#: An install and one of its servers: two installs may not see each other's.
Key = tuple[uuid.UUID, ServerId]


class Floor:
    """The nodes as servers find them."""

    def __init__(
        self, sky: Sky, shelf: Shelf, nodes: Mapping[str, CloudNode], servers: Ledger[Key, CloudServer]
    ) -> None:
        self._sky, self._shelf = sky, shelf
        self._nodes, self._servers = nodes, servers
        self.overbookings: list[Overbooking] = []

    def claim(self, install_id: uuid.UUID, spec: ServerSpec) -> None:
        """Raise NoCapacity or Unworkable unless a server can start now, on each of its nodes."""
        nodes = [self._room(spec, share) for share in spec.shares]
        if len({node.zone for node in nodes}) > 1:
            raise Unworkable("the nodes of a gang are in one zone")
        self._check_zone(install_id, spec, nodes[0])
        self._check_volumes(spec, nodes[0])

    def is_free(self, spec: ServerSpec) -> bool:
        """Whether nothing is on any slot that a server would have."""
        return all(self._is_there(spec, share) and not self._users(spec, share) for share in spec.shares)

    def _is_there(self, spec: ServerSpec, share: Peer) -> bool:
        node = self._nodes.get(share.node)
        return node is not None and not node.lost and max(share.slots, default=-1) < node.slots.get(spec.gpu_type, 0)

    def _users(self, spec: ServerSpec, share: Peer) -> list[CloudServer]:
        """Return the servers that have some of these slots."""
        same = (server for server in self._servers.all() if server.spec.gpu_type == spec.gpu_type)
        return [
            server
            for server in same
            if (theirs := server.share_of(share.node)) is not None and set(theirs.slots) & set(share.slots)
        ]

    def _room(self, spec: ServerSpec, share: Peer) -> CloudNode:
        node = self._nodes.get(share.node)
        if node is None or not node.schedulable:
            raise NoCapacity(node.reason if node else f"there is no node {share.node}")
        for server in self._users(spec, share):
            if server.holds:
                self._note_overbooking(spec, share, server)
                raise NoCapacity(f"{server.server_id} has these slots of {node.name}")
        if not share.slots or any(index >= node.slots.get(spec.gpu_type, 0) for index in share.slots):
            raise NoCapacity(f"{node.name} has no such {spec.gpu_type}")
        if self._sky.chance("no_capacity", self._sky.weather.no_capacity):
            raise NoCapacity(f"insufficient capacity on {node.name}")
        return node

    def _note_overbooking(self, spec: ServerSpec, share: Peer, holder: CloudServer) -> None:
        if holder.slipped:
            # Nobody can know of it yet.
            return
        self.overbookings.append(
            Overbooking(
                node=share.node, gpu_type=spec.gpu_type, slots=share.slots, server_id=spec.server_id,
                holder=holder.server_id, at=self._sky.clock.now,
            )
        )  # fmt: skip

    def _check_zone(self, install_id: uuid.UUID, spec: ServerSpec, node: CloudNode) -> None:
        if spec.mount is None:
            return
        volume = self._shelf.find_volume(install_id, spec.mount.volume_id)
        if volume is not None and volume.zone != node.zone:
            raise Unworkable(f"the disk is in {volume.zone} and {node.name} is in {node.zone}")

    def _check_volumes(self, spec: ServerSpec, node: CloudNode) -> None:
        there = sum(other.node == node.name and other.spec.mount is not None for other in self._servers.all())
        if spec.mount is not None and node.volumes is not None and there >= node.volumes:
            raise NoCapacity(f"{node.name} cannot take another disk")
