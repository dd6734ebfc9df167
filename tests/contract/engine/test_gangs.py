"""Several nodes at once, over the simulated cloud: all come up or none stays, and what one node meets all do."""

from __future__ import annotations

import contextlib

import attrs
import pytest

from gpudev_sdk import fault
from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import Peer
from gpudev_sdk.engine import accounts, availability, show
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.errors import InvalidRequest, LimitReached
from gpudev_sdk.fault import SimulatedCrash
from gpudev_sdk.providers import Compute
from gpudev_sdk.testing.cloud import CloudNode, Span
from tests.contract.engine.house import House
from tests.fix_engine import HOUR
from tests.memory_backend import MemoryCompute

NODES = tuple(
    CloudNode(name=name, slots={"h100": 8, "cpu": 4}, zone=zone)
    for name, zone in (("n1", "z1"), ("n2", "z1"), ("n3", "z1"), ("n4", "z2"))
)
ALL_8 = tuple(range(8))


def build(store, tmp_path, reach=Reach.ZONE, **weather):
    """The engine over a cloud of four nodes, three of them in one zone."""
    return House.build(store, tmp_path, NODES, reach=reach, **weather)


@pytest.fixture
def house(store, tmp_path):
    return build(store, tmp_path)


@pytest.fixture
def kim(house):
    return accounts.add_user(house.engine, "kim", None)


@pytest.fixture
def gang(house, kim):
    """A gang of two nodes that is up."""
    made = house.submit(kim, gpus=8, nodes=2)
    house.work(made)
    assert house.row(made).state is State.ACTIVE
    return made


def test_a_gang_comes_up_on_whole_nodes_of_one_zone(house, gang):
    (server,) = house.cloud.servers()

    assert server.spec.peers == (Peer("n1", ALL_8), Peer("n2", ALL_8))
    assert (server.spec.node, server.spec.slots, server.spec.gpus) == ("n1", ALL_8, 8)
    assert house.held(gang) == {"n1": 8, "n2": 8}
    assert house.lawful()


def test_one_node_has_no_peers(house, kim):
    made = house.submit(kim, gpus=8)
    house.work(made)

    assert house.cloud.servers()[0].spec.peers == ()


def test_a_gang_of_a_type_without_gpus_takes_all_places_of_its_nodes(house, kim):
    made = house.submit(kim, gpu_type="cpu", gpus=0, nodes=3)
    house.work(made)

    assert house.held(made) == {"n1": 4, "n2": 4, "n3": 4}
    assert house.row(made).state is State.ACTIVE


def test_its_end_frees_all_nodes(house, gang, kim):
    house.cancel(kim, gang)
    house.work(gang)

    assert house.row(gang).end_reason is EndReason.CANCELLED
    assert house.held(gang) == {}
    assert house.cloud.servers() == ()


@pytest.mark.parametrize(
    ("reach", "nodes"), [(Reach.NODE, ["n2", "n1", "n3"]), (Reach.ZONE, ["n1", "n2", "n3"])], ids=["node", "zone"]
)
def test_its_disk_is_on_rank_0_and_the_next_gang_with_it_begins_where_it_reaches(store, tmp_path, reach, nodes):
    house = build(store, tmp_path, reach)
    kim = accounts.add_user(house.engine, "kim", None)
    alone = house.submit(kim, gpus=8)
    first = house.submit(kim, gpus=8, nodes=2, disk="work")
    house.work(alone, first)
    assert [peer.node for peer in house.row(first).peers] == ["n2", "n3"]
    house.cancel(kim, first)
    house.cancel(kim, alone)
    house.work(alone, first)

    again = house.submit(kim, gpus=8, nodes=3, disk="work")
    house.work(again)

    assert [peer.node for peer in house.row(again).peers] == nodes
    assert house.row(again).state is State.ACTIVE


@pytest.mark.parametrize("lost", ["n1", "n2"])
def test_a_node_lost_while_it_comes_up_sends_all_back_to_the_same_place_in_line(store, tmp_path, lost):
    house = build(store, tmp_path, boot=Span.seconds(20, 20), loss_noticed=Span.seconds(60, 60))
    kim = accounts.add_user(house.engine, "kim", None)
    made = house.submit(kim, gpus=8, nodes=2)
    house.work(made)
    before = house.row(made)
    assert before.state is State.PREPARING

    house.cloud.lose_node(lost)
    Inventory(house.engine).take()
    house.pass_by(61, made)
    house.pass_by(61, made)

    row = house.row(made)
    assert (row.state, row.seq, row.attempt) == (State.QUEUED, before.seq, 2)
    assert lost in row.detail
    assert house.held(made) == {}
    assert house.cloud.servers() == ()
    house.retry(made)
    house.work(made)
    assert set(house.held(made)) == {"n1", "n2", "n3"} - {lost}


@pytest.mark.parametrize("lost", ["n1", "n2"])
def test_a_node_lost_while_it_is_active_ends_it_whole(house, gang, lost):
    house.cloud.lose_node(lost)
    house.pass_by(120, gang)
    house.pass_by(120, gang)

    row = house.row(gang)
    assert row.end_reason is EndReason.FAILED
    assert lost in row.end_detail
    assert house.held(gang) == {}
    assert house.cloud.servers() == ()


def test_where_one_node_has_no_room_nothing_is_launched_and_it_goes_back_in_line(house, kim):
    made = house.submit(kim, gpus=8, nodes=2)
    house.plan()
    # Its place is given, and taken away before the launch.
    house.cloud.cordon("n2")
    Inventory(house.engine).take()
    house.work(made)

    assert house.row(made).state is State.QUEUED
    assert (house.cloud.servers(), house.held(made)) == ((), {})
    house.retry(made)
    house.work(made)
    assert house.held(made) == {"n1": 8, "n3": 8}


def test_a_gang_is_not_starved_and_nobody_younger_takes_its_nodes(house, kim):
    lee = accounts.add_user(house.engine, "lee", None)
    busy = house.submit(lee, gpus=1)
    gang = house.submit(kim, gpus=8, nodes=3)
    young = [house.submit(lee, gpus=8, duration=5 * HOUR) for _ in range(2)]
    house.work(busy, gang, *young)
    # One of the young fits where the gang cannot be, the other waits behind it.
    assert [house.row(row).state for row in (gang, *young)] == [State.QUEUED, State.ACTIVE, State.QUEUED]

    house.cancel(lee, busy)
    house.work(busy, gang, *young)

    assert [house.row(row).state for row in (gang, young[1])] == [State.ACTIVE, State.QUEUED]
    assert house.lawful()


def test_a_processor_that_dies_between_any_two_steps_leaves_a_whole_gang_or_none(house, kim):
    """Every boundary of a whole life is a crash once; another process goes on, and the laws hold at each."""
    met: set[str] = set()

    def crash(point):
        if point not in met and ":" in point:
            met.add(point)
            raise SimulatedCrash(point)

    made = house.submit(kim, gpus=8, nodes=2, disk="work")
    fault.install(crash)
    try:
        while house.row(made).state is not State.ENDED:
            try:
                house.work(made)
                house.cancel(kim, made)
            except SimulatedCrash:
                # What a dead process held is taken over when its lease has run out.
                house.sql("UPDATE reservation SET lease_until = NULL WHERE state <> 'ended'")
            assert house.held(made) in ({}, {"n1": 8, "n2": 8})
            assert len(house.cloud.servers()) <= 1
            assert len(met) < 100
    finally:
        fault.install(None)
    assert house.row(made).end_reason is EndReason.CANCELLED
    assert {"launch:before", "launch:after", "terminate:before", "terminate:after"} <= met
    assert house.lawful()


def test_what_it_may_have_counts_its_gpus_on_all_nodes(house, kim):
    house.submit(kim, gpus=8, nodes=3)

    with pytest.raises(LimitReached, match="with 16 more"):
        house.submit(kim, gpus=8, nodes=2)
    house.submit(kim, gpus=8)


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        ({"gpus": 4, "nodes": 2}, "takes them whole, and a node has 8", "h100:8 --nodes 2"),
        ({"gpus": 8, "nodes": 4}, "no zone has 4 whole nodes of h100; the largest has 3", "--nodes 3"),
        ({"gpu_type": "cpu", "gpus": 1, "nodes": 2}, "no GPUs", "cpu"),
    ],
)
def test_what_could_never_be_is_refused_with_what_could(house, kim, asked, said, hint):
    with pytest.raises(InvalidRequest, match=said) as raised:
        house.submit(kim, **asked)

    assert hint in raised.value.hint


@pytest.mark.parametrize("reach", [Reach.NODE, Reach.ZONE])
@pytest.mark.parametrize(("node", "refused"), [("n4", True), ("n1", False)])
def test_one_whose_disk_is_where_no_such_gang_can_be_is_refused(store, tmp_path, reach, node, refused):
    """A disk stays in the zone of its first use: in a zone of one node, nothing of two nodes could ever have it."""
    house = build(store, tmp_path, reach)
    kim = accounts.add_user(house.engine, "kim", None)
    others = [house.submit(kim, gpus=8) for _ in range(3)] if node == "n4" else []
    first = house.submit(kim, gpus=8, disk="work")
    house.work(*others, first)
    assert house.row(first).node == node
    for row in (*others, first):
        house.cancel(kim, row)
    house.work(*others, first)
    request = attrs.evolve(house.row(first).request, nodes=2)
    asks = (
        lambda: house.submit(kim, gpus=8, nodes=2, disk="work"),
        lambda: availability.dry_run(house.engine, kim, request),
    )

    for ask in asks[:: 1 if refused else -1]:
        with (
            pytest.raises(InvalidRequest, match=r"(whose zone|z2, which) has too few")
            if refused
            else contextlib.nullcontext()
        ):
            ask()


def test_a_backend_without_the_ability_offers_no_gangs(bench):
    single = type("Single", (Compute,), {name: getattr(MemoryCompute, name) for name in Compute.__abstractmethods__})
    backend = attrs.evolve(bench.engine.backends["mem"], compute=single(bench.memory))
    engine = attrs.evolve(bench.engine, backends={"mem": backend})
    Inventory(engine).take()

    assert {kind.name: kind.gang for kind in availability.gpu_types(engine)} == {"cpu": False, "h100": False}


def test_people_see_how_many_nodes_and_which(house, gang, kim):
    seen = show.show(house.engine, gang)
    assert (seen.nodes, seen.node, seen.node_names) == (2, "n1", ["n1", "n2"])

    told = availability.availability(house.engine, kim)
    (row,) = [row for row in told.rows if row.gpu_type == "h100"]
    assert (row.most_nodes, row.nodes_now) == (3, 0)
    assert [(offer.nodes, offer.gpus) for offer in row.offers if offer.nodes > 1] == [(2, 8), (3, 8)]
    assert [(use.nodes, use.gpus) for use in told.uses] == [(2, 8)]


def test_a_dry_run_says_when_and_what_would_be_sooner(house, gang, kim):
    asked = house.row(gang).request
    told = availability.dry_run(house.engine, kim, asked)

    assert told.node_names == ["n1", "n2"]
    assert told.starts_at > house.row(gang).expires_at
    assert [(offer.nodes, offer.gpus) for offer in told.instead] == [(1, 8)]
