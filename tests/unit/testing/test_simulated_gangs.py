"""Gangs of the simulated cloud: one server on several nodes, which comes up, ends and goes as one."""

from __future__ import annotations

import random

import attrs
import pytest

from gpudev_sdk.domain.server import Peer, Phase, Presence
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.testing.cloud import CloudNode, SimulatedCloud, Span, VirtualClock, Weather
from tests.unit.testing.sky import START, Place, providers, seconds, server_spec

NODES = tuple(CloudNode(name=name, slots={"h100": 2}, zone=zone) for name, zone in (("a", "z"), ("b", "z"), ("c", "y")))
GANG = server_spec(slots=(0, 1), gpus=2, node="a", peers=(Peer("a", (0, 1)), Peer("b", (0, 1))))


def place(**weather):
    cloud = SimulatedCloud(VirtualClock(START), random.Random(3), Weather(**weather), NODES)
    return Place(cloud, *providers(cloud))


def launched(**weather):
    there = place(**weather)
    there.compute.launch(GANG)
    return there


def seen(there):
    found = there.compute.observe(GANG.server_id)
    return found.presence, found.phase


def test_it_is_ready_when_all_its_nodes_are():
    there = launched(boot=Span.seconds(10, 100))
    met = []
    for _ in range(100):
        there.pass_by(1)
        met.append((there.compute.observe(GANG.server_id).phase, there.compute.observe(GANG.server_id).reason))

    assert met[0] == (Phase.STARTING, "starting")
    assert (Phase.STARTING, "1 of 2 nodes are up") in met
    assert met[-1] == (Phase.READY, "")
    assert there.compute.list_servers() == (GANG.server_id,)


@pytest.mark.parametrize("node", ["a", "b"])
def test_where_one_node_has_no_room_nothing_starts(node):
    there = place()
    there.compute.launch(server_spec(2, node=node, slots=(1,)))

    with pytest.raises(NoCapacity):
        there.compute.launch(GANG)
    assert GANG.server_id not in there.compute.list_servers()


def test_the_weather_strikes_each_node():
    met = sum(_refused(seed) for seed in range(200))

    assert 50 < met < 100  # one of two is struck in 36 of 100 gangs, and one alone in 20


def _refused(seed):
    cloud = SimulatedCloud(VirtualClock(START), random.Random(seed), Weather(no_capacity=0.2), NODES)
    try:
        providers(cloud)[0].launch(GANG)
    except NoCapacity:
        return 1
    return 0


def test_its_nodes_are_in_one_zone():
    far = attrs.evolve(GANG, peers=(Peer("a", (0, 1)), Peer("c", (0, 1))))

    with pytest.raises(Unworkable, match="one zone"):
        place().compute.launch(far)


def test_others_cannot_have_its_slots_on_any_node():
    there = launched()

    with pytest.raises(NoCapacity):
        there.compute.launch(server_spec(2, node="b", slots=(1,)))
    assert [(one.node, one.slots) for one in there.cloud.overbookings] == [("b", (1,))]


@pytest.mark.parametrize("node", ["a", "b"])
@pytest.mark.parametrize(
    ("strike", "reason"),
    [
        (lambda cloud, node: cloud.lose_node(node), "its node {} is lost"),
        (lambda cloud, node: cloud.reboot_node(node), "its node {} restarted"),
        (lambda cloud, node: cloud.shrink(node, "h100", 1), "its h100 is gone from the node"),
    ],
)
def test_what_one_node_meets_ends_it_whole(node, strike, reason):
    there = launched(loss_noticed=Span.seconds(5, 5))

    strike(there.cloud, node)
    there.pass_by(6)

    assert seen(there) == (Presence.PRESENT, Phase.FINISHED)
    assert there.compute.observe(GANG.server_id).reason == reason.format(node)
    there.compute.terminate(GANG.server_id)
    there.pass_by(1)
    assert seen(there) == (Presence.ABSENT, None)


def test_until_a_loss_is_noticed_nothing_can_be_told_of_it():
    there = launched(loss_noticed=Span.seconds(5, 5))
    there.cloud.lose_node("b")

    assert seen(there) == (Presence.UNKNOWN, None)


def test_it_is_gone_when_all_its_nodes_have_stopped():
    there = launched(stop=Span.seconds(10, 100))
    there.compute.terminate(GANG.server_id)
    down = []
    while seen(there)[0] is Presence.PRESENT:
        down.append(len(there.cloud.servers()[0].down))
        there.pass_by(1)

    assert set(down) == {0, 1}
    assert there.cloud.servers() == ()


@pytest.mark.parametrize("back", [False, True])
def test_one_that_stops_while_a_node_is_lost_goes_in_the_end(back):
    there = launched(stop=Span.seconds(3, 3), loss_noticed=Span.seconds(60, 60))
    there.compute.terminate(GANG.server_id)
    there.cloud.lose_node("b")
    there.pass_by(10)
    assert seen(there) == (Presence.UNKNOWN, None)

    if back:
        there.cloud.restore_node("b")
    there.pass_by(61)

    assert seen(there) == (Presence.ABSENT, None)


def test_a_late_start_takes_effect_only_where_all_its_slots_are_free():
    there = launched()
    there.compute.terminate(GANG.server_id)
    there.pass_by(1)
    there.compute.launch(server_spec(2, node="b", slots=(1,)))

    assert not there.cloud.slip(GANG.server_id)
    there.compute.terminate(server_spec(2).server_id)
    there.cloud.advance(seconds(1))
    assert there.cloud.slip(GANG.server_id)
