"""Gangs as pods: each box has its place, its start and its end alone."""

from __future__ import annotations

import datetime as dt
import random
import uuid

import attrs
import pytest

from gpudev_sdk.domain.server import Phase, ServerId, ServerSpec
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.testing.cloud import CloudNode, SimulatedCloud, Span, VirtualClock, Weather
from tests.sim.clouds.machines import PodMachines
from tests.sim.simulation import START

INSTALL = uuid.UUID(int=1)
NODES = tuple(CloudNode(name=name, slots={"h100": 8}, zone=zone) for name, zone in (("a", "1"), ("b", "1"), ("c", "2")))
WEATHER = Weather(boot=Span.seconds(5, 5), stop=Span.seconds(9, 9), loss_noticed=Span.seconds(60, 60))


class Bench:
    def __init__(self) -> None:
        self.cloud = SimulatedCloud(VirtualClock(START), random.Random(3), WEATHER, nodes=NODES)
        self.machines = PodMachines(self.cloud, self.cloud.shelf, NODES)
        self.key = (INSTALL, ServerId(uuid.UUID(int=2), 1))

    def start(self, rank: int, node: str, attempt: int = 1) -> None:
        server = attrs.evolve(self.key[1], attempt=attempt)
        slots = tuple(range(8))
        spec = ServerSpec(server_id=server, name="work", owner_number=1, owner="ann", node=node, gpu_type="h100",
                          slots=slots, gpus=8, mount=None)  # fmt: skip
        self.machines.start((INSTALL, server), spec, rank, 2)

    def pass_by(self, seconds: float) -> None:
        self.cloud.advance(dt.timedelta(seconds=seconds))

    @property
    def gang(self):
        return self.machines.servers.find(self.key)

    @property
    def runs(self) -> list[bool]:
        return [self.machines.runs(self.key, rank) for rank in (0, 1)]

    def slots(self) -> list[int]:
        return [len(peer.slots) for peer in self.gang.spec.peers]


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def working(bench):
    bench.start(1, "b")
    bench.start(0, "a")
    bench.pass_by(5)
    assert bench.gang.running
    return bench


def test_a_gang_of_which_one_pod_is_missing_holds_what_it_has_and_is_not_ready(bench):
    bench.start(1, "b")
    bench.pass_by(60)
    assert (bench.gang.phase, bench.gang.up, bench.slots()) == (Phase.STARTING, {1}, [0, 8])
    with pytest.raises(NoCapacity):
        bench.start(0, "b", attempt=2)


def test_a_pod_of_another_zone_does_not_join(bench):
    bench.start(0, "a")
    with pytest.raises(Unworkable):
        bench.start(1, "c")


def test_one_box_that_dies_lets_go_of_its_own_slots_and_the_other_runs_on(working):
    working.machines.die(working.key[1], "killed")
    assert working.gang.phase is Phase.FINISHED and working.gang.holds
    assert sorted(working.slots()) == [0, 8] and sorted(working.runs) == [False, True]


def test_a_gang_is_gone_with_the_last_of_its_boxes(working):
    working.machines.end(working.key, 0)
    working.pass_by(9)
    assert working.runs == [False, True] and working.gang is not None
    working.machines.end(working.key, 1)
    working.pass_by(8)
    assert working.gang is not None
    working.pass_by(1)
    assert working.gang is None


def test_a_box_that_is_stopped_on_a_lost_node_is_gone_when_the_loss_is_told(working):
    working.machines.lose("b")
    for rank in (0, 1):
        working.machines.end(working.key, rank)
    working.pass_by(30)
    assert working.runs == [False, True]
    working.pass_by(30)
    assert working.gang is None


def test_a_node_that_restarts_starts_its_own_box_again(working):
    working.machines.reboot("b")
    assert (working.gang.phase, working.gang.up) == (Phase.STARTING, {0})
    working.pass_by(5)
    assert working.gang.running


def test_another_node_that_is_mended_ends_no_box(working):
    working.machines.lose("b")
    working.machines.restore("a")
    assert working.runs == [True, True]
