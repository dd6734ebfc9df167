"""The laws of `Scaling` and `Spot`."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from gpudev_sdk.errors import Conflict, NotFound, Unworkable
from gpudev_sdk.laws import Law, Place
from gpudev_sdk.laws.abilities import ABILITIES
from gpudev_sdk.providers import Compute, Context
from gpudev_sdk.providers.scaling import NodePool, Scaling, Spot
from gpudev_sdk.testing.base import Contract, Settle, each_law


class ScalingContract(Contract[Scaling]):
    """Name `provider` or give `scaling`, and a `pool` with room to grow by one; `machines` where nodes can be removed."""

    @pytest.fixture
    def scaling(self, context: Context) -> Scaling:
        """Return the compute under test."""
        return self.build(context)

    @pytest.fixture
    def pool(self, scaling: Scaling) -> NodePool:
        """Return a pool between its minimum and its maximum."""
        return next(pool for pool in scaling.node_pools() if pool.minimum < pool.wanted < pool.maximum)

    def machines(self, pool: NodePool) -> Collection[str]:
        """Return the names of a pool's nodes, as the cloud itself has them; override it to have law 9.4 tested."""
        pytest.skip("no method `machines`: that no other machine goes is not tested")

    @each_law(law for law in ABILITIES if law.of is Scaling)
    def test_looking_breaks_no_law(self, scaling: Scaling, pool: NodePool, law: Law) -> None:
        """Law 9.1, and each other that can be tried by looking."""
        law.keeps(Place(), scaling)

    def test_growing_asks_for_so_many_and_again_is_fine(self, scaling: Scaling, pool: NodePool, settle: Settle) -> None:
        """Law 9.2."""
        for _ in range(2):
            self.timed(lambda: scaling.grow(pool.name, pool.wanted + 1))

        settle(lambda: _wanted(scaling, pool) == pool.wanted + 1)

    def test_growing_to_fewer_changes_nothing(self, scaling: Scaling, pool: NodePool) -> None:
        """Law 9.2: nobody's machine goes by a number."""
        scaling.grow(pool.name, pool.wanted - 1)

        assert _wanted(scaling, pool) == pool.wanted

    def test_growing_over_the_maximum_is_refused(self, scaling: Scaling, pool: NodePool) -> None:
        """Law 9.3."""
        with pytest.raises(Unworkable):
            scaling.grow(pool.name, pool.maximum + 1)

        assert _wanted(scaling, pool) == pool.wanted

    def test_there_is_no_such_pool(self, scaling: Scaling) -> None:
        """Law 9.3."""
        with pytest.raises(NotFound):
            scaling.grow("no-such-pool", 1)
        with pytest.raises(NotFound):
            scaling.remove_node("no-such-pool", "node")

    def test_the_node_that_is_named_goes_and_no_other(self, scaling: Scaling, pool: NodePool, settle: Settle) -> None:
        """Law 9.4."""
        before = set(self.machines(pool))
        gone = sorted(before)[-1]

        scaling.remove_node(pool.name, gone)

        settle(lambda: set(self.machines(pool)) == before - {gone} and _wanted(scaling, pool) == pool.wanted - 1)

    def test_removing_twice_removes_one(self, scaling: Scaling, pool: NodePool, settle: Settle) -> None:
        """Law 9.4: what is gone is fine, and takes nobody else with it."""
        before = set(self.machines(pool))
        gone = sorted(before)[0]
        scaling.remove_node(pool.name, gone)
        settle(lambda: gone not in self.machines(pool))

        scaling.remove_node(pool.name, gone)

        assert set(self.machines(pool)) == before - {gone}
        assert _wanted(scaling, pool) == pool.wanted - 1

    def test_a_pool_is_not_emptied_below_its_minimum(self, scaling: Scaling, pool: NodePool, settle: Settle) -> None:
        """Law 9.5."""
        for node in sorted(self.machines(pool))[: pool.wanted - pool.minimum]:
            scaling.remove_node(pool.name, node)
        settle(lambda: _wanted(scaling, pool) == pool.minimum and len(self.machines(pool)) == pool.minimum)

        with pytest.raises(Conflict):
            scaling.remove_node(pool.name, sorted(self.machines(pool))[0])

        assert len(self.machines(pool)) == pool.minimum


class SpotContract(Contract[Spot]):
    """Name `provider` or give `spot`; `interrupt` where a machine can be told that it is taken back."""

    @pytest.fixture
    def spot(self, context: Context) -> Spot:
        """Return the compute under test, with at least one spot node and one that is not."""
        return self.build(context)

    def interrupt(self, node: str) -> None:
        """Have the cloud take a machine back; override it to have law 9.7 tested."""
        pytest.skip("no method `interrupt`: that an interruption is seen is not tested")

    def test_spot_nodes_are_nodes_and_not_all_of_them(self, spot: Spot) -> None:
        """Law 9.6."""
        assert isinstance(spot, Compute)
        everyone = {node.name for node in spot.nodes()}

        assert set() < set(spot.spot_nodes()) < everyone

    def test_nobody_is_taken_back_before_it_is_said(self, spot: Spot) -> None:
        """Law 9.7."""
        assert spot.interruptions() == ()

    def test_a_node_that_is_taken_back_is_named_and_takes_nobody_in(self, spot: Spot, settle: Settle) -> None:
        """Law 9.7."""
        assert isinstance(spot, Compute)
        compute: Compute = spot
        node = spot.spot_nodes()[0]

        self.interrupt(node)

        settle(lambda: [gone.node for gone in spot.interruptions()] == [node])
        settle(lambda: not next(each for each in compute.nodes() if each.name == node).schedulable)


def _wanted(scaling: Scaling, pool: NodePool) -> int:
    return next(each.wanted for each in scaling.node_pools() if each.name == pool.name)
