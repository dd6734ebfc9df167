"""The laws of the ability `Gang`: one server on several whole nodes."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.domain.server import Peer, Phase, Presence, ServerId, ServerSpec, digest_files
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.providers import Compute, Gang
from gpudev_sdk.testing.base import Contract, Settle
from gpudev_sdk.testing.files import box_files


class GangLaws(Contract[Compute]):
    """A part of `ComputeContract`; skipped where compute lacks the ability or no zone has two whole nodes."""

    @pytest.fixture
    def gang(self, compute: Compute) -> ServerSpec:
        """Return a server on two whole nodes, with a throw-away home."""
        if not isinstance(compute, Gang):
            pytest.skip("missing ability: Gang")
        kind, peers = _two_nodes(compute.gpu_types(), compute.nodes())
        return ServerSpec(
            server_id=ServerId(uuid.uuid4(), 1),
            name="contract",
            owner_number=1,
            owner="ada",
            node=peers[0].node,
            gpu_type=kind.name,
            slots=peers[0].slots,
            gpus=kind.gpus_per_node,
            mount=None,
            files=box_files("contract"),
            peers=peers,
        )

    def take_down(self, compute: Compute, server_id: ServerId, settle: Settle) -> None:
        """Terminate until it is seen gone."""

        def gone() -> bool:
            compute.terminate(server_id)
            return compute.observe(server_id).presence is Presence.ABSENT

        settle(gone)

    def test_a_gang_is_one_server(self, compute: Compute, gang: ServerSpec, settle: Settle) -> None:
        """Law 2.14: ready when all its nodes are, listed once, launched once, and gone whole."""
        self.timed(lambda: compute.launch(gang))
        settle(lambda: compute.observe(gang.server_id).phase is Phase.READY)
        seen = compute.observe(gang.server_id)
        compute.launch(gang)

        assert compute.list_servers().count(gang.server_id) == 1
        assert seen.endpoint is not None
        assert seen.files_digest == digest_files(gang.files)
        assert compute.observe(gang.server_id).started_at == seen.started_at
        self.take_down(compute, gang.server_id, settle)
        assert gang.server_id not in compute.list_servers()

    @pytest.mark.parametrize("rank", [0, 1])
    def test_where_one_node_has_no_room_none_starts(self, compute: Compute, gang: ServerSpec, rank: int) -> None:
        """Law 2.15."""
        peers = tuple(
            Peer("no-such-node", peer.slots) if number == rank else peer for number, peer in enumerate(gang.peers)
        )

        with pytest.raises((NoCapacity, Unworkable)):
            compute.launch(attrs.evolve(gang, node=peers[0].node, peers=peers))
        assert gang.server_id not in compute.list_servers()
        assert compute.observe(gang.server_id).presence is Presence.ABSENT

    def test_configuring_reaches_the_whole_gang(self, compute: Compute, gang: ServerSpec, settle: Settle) -> None:
        """Law 2.9."""
        compute.launch(gang)
        settle(lambda: compute.observe(gang.server_id).phase is Phase.READY)
        files = box_files("contract", notice="ends at 18:00\n")

        compute.configure(gang.server_id, files)

        settle(lambda: compute.observe(gang.server_id).files_digest == digest_files(files))
        self.take_down(compute, gang.server_id, settle)

    def test_an_ended_gang_is_not_launched_again(self, compute: Compute, gang: ServerSpec) -> None:
        """Law 2.11."""
        compute.terminate(gang.server_id)

        compute.launch(gang)

        assert gang.server_id not in compute.list_servers()


def _two_nodes(kinds: tuple[GpuType, ...], nodes: tuple[Node, ...]) -> tuple[GpuType, tuple[Peer, ...]]:
    """Return two whole free nodes of one zone, of a type without a GPU if there is one."""
    for kind in sorted((kind for kind in kinds if kind.gang), key=lambda kind: kind.gpus_per_node):
        zones: dict[str, list[Peer]] = {}
        for node in sorted(nodes, key=lambda node: node.name):
            slots = [slot for slot in node.slots if slot.gpu_type == kind.name]
            free = node.schedulable and all(slot.busy_outside is None for slot in slots)
            if free and len(slots) == kind.slots:
                zones.setdefault(node.zone, []).append(Peer(node.name, tuple(slot.index for slot in slots)))
        for peers in zones.values():
            if len(peers) > 1:
                return kind, tuple(peers[:2])
    pytest.skip("missing ability: no zone has two whole nodes that are free")
