"""The laws of `Compute`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import attrs
import pytest

from gpudev_sdk.domain.gpu import GpuType, Node
from gpudev_sdk.domain.server import Claim, Phase, Presence, ServerId, ServerSpec, digest_files
from gpudev_sdk.errors import Conflict, NoCapacity, Unworkable
from gpudev_sdk.laws import Law, Place
from gpudev_sdk.laws.compute import COMPUTE
from gpudev_sdk.providers import Compute, Context
from gpudev_sdk.testing.base import Settle, each_law
from gpudev_sdk.testing.files import box_files
from gpudev_sdk.testing.gangs import GangLaws

#: Laws that say little where there is nothing: the suite has tests of its own for them.
_WITH_SOMETHING_THERE = ("1.4", "2.7", "2.12")


class ComputeContract(GangLaws):
    """Name `provider` or give `compute`; override `spec` where a server needs more than a node, a type and the files."""

    @pytest.fixture
    def compute(self, context: Context) -> Compute:
        """Return the compute under test."""
        return self.build(context)

    @pytest.fixture
    def other_compute(self, other_context: Context) -> Compute:
        """Return the same place as another install sees it; without it, law 1.4 is not tested."""
        return self.build_other(other_context, "other_compute")

    @pytest.fixture
    def spec(self, compute: Compute) -> ServerSpec:
        """Return a server that fits: the smallest of a node's types, with a throw-away home."""
        kinds = {kind.name: kind for kind in compute.gpu_types()}
        node, kind, index = _place(compute.nodes(), kinds)
        return ServerSpec(
            server_id=ServerId(uuid.uuid4(), 1),
            name="contract",
            owner_number=1,
            owner="ada",
            node=node,
            gpu_type=kind.name,
            slots=(index,),
            gpus=0 if kind.is_cpu else 1,
            mount=None,
            files=box_files("contract"),
        )

    @pytest.fixture
    def server(self, compute: Compute, spec: ServerSpec, settle: Settle) -> Iterator[ServerSpec]:
        """Launch a server, wait until it is ready, and take it down in the end."""
        compute.launch(spec)
        settle(lambda: compute.observe(spec.server_id).phase is Phase.READY)
        yield spec
        self.take_down(compute, spec.server_id, settle)

    @each_law(law for law in COMPUTE if law.number not in _WITH_SOMETHING_THERE)
    def test_looking_breaks_no_law(self, compute: Compute, law: Law) -> None:
        """Law 2.1, and each other that can be tried by looking at an empty place."""
        law.keeps(Place(), compute)

    def test_looking_returns_within_the_budget(self, compute: Compute) -> None:
        """Law 1.1."""
        for look in (compute.gpu_types, compute.nodes, compute.list_instances, compute.list_servers):
            self.timed(look)

    def test_a_launched_server_becomes_ready_with_an_endpoint_and_its_files(
        self, compute: Compute, server: ServerSpec
    ) -> None:
        """Law 2.6."""
        seen = compute.observe(server.server_id)

        assert seen.presence is Presence.PRESENT
        assert seen.endpoint is not None
        assert seen.endpoint.startswith(("unix:/", "tcp:"))
        assert seen.files_digest == digest_files(server.files)

    def test_launching_returns_within_the_budget(self, compute: Compute, spec: ServerSpec, settle: Settle) -> None:
        """Law 1.1."""
        self.timed(lambda: compute.launch(spec))
        self.take_down(compute, spec.server_id, settle)

    def test_launching_twice_is_launching_once(self, compute: Compute, server: ServerSpec) -> None:
        """Law 1.2."""
        before = compute.observe(server.server_id)

        compute.launch(server)

        assert compute.list_servers().count(server.server_id) == 1
        assert compute.observe(server.server_id).started_at == before.started_at

    def test_every_launched_server_is_listed(self, compute: Compute, server: ServerSpec) -> None:
        """Law 2.7."""
        assert server.server_id in compute.list_servers()

    def test_a_server_that_cannot_fit_is_refused_and_leaves_nothing(self, compute: Compute, spec: ServerSpec) -> None:
        """Law 2.8."""
        elsewhere = attrs.evolve(spec, node="no-such-node")

        with pytest.raises((NoCapacity, Unworkable)):
            compute.launch(elsewhere)
        assert elsewhere.server_id not in compute.list_servers()
        assert compute.observe(elsewhere.server_id).presence is Presence.ABSENT

    def test_configuring_replaces_the_files_whole(self, compute: Compute, server: ServerSpec, settle: Settle) -> None:
        """Law 2.9."""
        files = box_files("contract", notice="ends at 18:00\n")

        self.timed(lambda: compute.configure(server.server_id, files))

        settle(lambda: compute.observe(server.server_id).files_digest == digest_files(files))

    def test_configuring_an_unknown_server_is_silent(self, compute: Compute) -> None:
        """Law 1.3."""
        compute.configure(ServerId(uuid.uuid4(), 1), box_files("nobody"))

        assert compute.list_servers() == ()

    def test_a_terminated_server_becomes_absent_and_unlisted(
        self, compute: Compute, server: ServerSpec, settle: Settle
    ) -> None:
        """Law 2.10."""
        self.timed(lambda: compute.terminate(server.server_id))
        self.take_down(compute, server.server_id, settle)

        assert server.server_id not in compute.list_servers()

    def test_terminating_an_unknown_server_is_silent(self, compute: Compute) -> None:
        """Law 1.3."""
        compute.terminate(ServerId(uuid.uuid4(), 1))

        assert compute.list_servers() == ()

    def test_a_terminated_server_is_not_launched_again(
        self, compute: Compute, spec: ServerSpec, settle: Settle
    ) -> None:
        """Law 2.11: also when it was never launched, because the launch may come late."""
        compute.terminate(spec.server_id)

        compute.launch(spec)

        assert spec.server_id not in compute.list_servers()
        assert compute.observe(spec.server_id).presence is Presence.ABSENT

    def test_the_next_attempt_is_another_server(self, compute: Compute, spec: ServerSpec, settle: Settle) -> None:
        """Law 2.11."""
        second = attrs.evolve(spec, server_id=ServerId(spec.server_id.reservation_id, 2))
        compute.terminate(spec.server_id)

        compute.launch(second)

        assert compute.observe(second.server_id).presence is Presence.PRESENT
        self.take_down(compute, second.server_id, settle)

    def test_another_installs_servers_are_neither_listed_nor_ended(
        self, compute: Compute, other_compute: Compute, server: ServerSpec
    ) -> None:
        """Law 1.4."""
        assert server.server_id not in other_compute.list_servers()

        other_compute.terminate(server.server_id)

        assert compute.observe(server.server_id).presence is Presence.PRESENT

    def test_a_claim_is_replaced_only_by_who_knows_it(self, compute: Compute, install_id: uuid.UUID) -> None:
        """Law 2.12."""
        first, second = (_claim(install_id, epoch) for epoch in (1, 2))
        assert compute.read_claim() is None

        compute.write_claim(first, None)
        compute.write_claim(second, first)

        with pytest.raises(Conflict):
            compute.write_claim(_claim(install_id, 3), first)
        assert compute.read_claim() == second

    def test_a_claim_is_not_taken_twice_from_nobody(self, compute: Compute, install_id: uuid.UUID) -> None:
        """Law 2.12."""
        compute.write_claim(_claim(install_id, 1), None)

        with pytest.raises(Conflict):
            compute.write_claim(_claim(install_id, 2), None)


def _claim(install_id: uuid.UUID, epoch: int) -> Claim:
    return Claim(install_id=install_id, control_plane_id=uuid.UUID(int=7), epoch=epoch)


def _place(nodes: tuple[Node, ...], kinds: dict[str, GpuType]) -> tuple[str, GpuType, int]:
    """Return a free slot, of a type without a GPU if there is one."""
    free = [
        (kinds[slot.gpu_type].gpus_per_node, node.name, slot)
        for node in nodes
        if node.schedulable
        for slot in node.slots
        if slot.busy_outside is None
    ]
    if not free:
        pytest.skip("no node has a free slot")
    _, node, slot = min(free, key=lambda place: place[0])
    return node, kinds[slot.gpu_type], slot.index
