"""A machine that its cloud takes back: who is on it is told and saved while there is time, and nobody is brought up there."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.engine import accounts
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.providers import Spot
from gpudev_sdk.providers.scaling import Interruption
from gpudev_sdk.store import bell, pgmq
from gpudev_sdk.testing.cloud import CloudNode, SimulatedCompute, Span, Weather
from tests.contract.engine.house import House
from tests.fix_engine import HOUR

NODES = tuple(CloudNode(name=name, slots={"h100": 8}, zone="z1") for name in ("n1", "n2", "n3"))
SHORT, LONG = dt.timedelta(seconds=30), HOUR


class SpotCompute(SimulatedCompute, Spot):
    """The simulated cloud's compute, some of whose machines are taken back."""

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.spot = ()
        self.taken = {}
        self.trouble = None
        #: What the person's terminals were told, each time.
        self.told = []

    def spot_nodes(self):
        return self.spot

    def interruptions(self):
        if self.trouble is not None:
            raise self.trouble
        return tuple(Interruption(node=node, at=at, reason="spot") for node, at in self.taken.items())

    def configure(self, server_id, files):
        super().configure(server_id, files)
        self.told.append(files["notice"].decode())


class SpotHouse(House):
    """The engine over such a cloud."""

    def take_back(self, node, notice):
        """Let the cloud say that it takes a machine back; None says not when."""
        self.cloud.cordon(node)
        self.compute.taken[node] = None if notice is None else dt.datetime.now(dt.UTC) + notice
        Inventory(self.engine).take()

    def keep(self, node):
        """Let the cloud leave a machine after all."""
        machines = self.cloud.machines
        machines.nodes[node] = attrs.evolve(machines.nodes[node], schedulable=True, reason="")
        del self.compute.taken[node]
        Inventory(self.engine).take()

    def hear(self):
        """Handle what processors were rung for, and nothing that waits for its time; return how much that was."""
        with self.engine.store.transaction() as conn:
            rings = [bell.parse_message(message.body) for message in pgmq.read(conn, bell.QUEUE, vt=60, qty=100)]
        for ring in rings:
            self.processor.handle(ring.kind, ring.id)
        return len(rings)


@pytest.fixture
def house(store, tmp_path):
    return SpotHouse.build(store, tmp_path, NODES, kind=SpotCompute)


@pytest.fixture
def kim(house):
    return accounts.add_user(house.engine, "kim", None)


@pytest.fixture
def box(house, kim):
    """A box with a disk that somebody works in."""
    made = house.submit(kim, disk="work")
    house.work(made)
    assert house.row(made).node == "n1"
    house.cloud.write(house.row(made).server_id, "written")
    return made


def test_a_box_with_thirty_seconds_left_is_told_and_saved_before_its_machine_goes(house, box):
    house.take_back("n1", SHORT)
    house.work(box)

    row = house.row(box)
    assert (row.state, row.end_reason) == (State.ENDED, EndReason.PREEMPTED)
    assert row.detail == "its machine is taken back: spot"
    assert "its machine is taken back" in house.compute.told[-1]
    assert [snapshot.content for snapshot in house.cloud.snapshots()] == [("written",)]
    assert house.lawful()


def test_who_is_on_a_machine_that_is_taken_back_is_looked_at_as_soon_as_that_is_seen(house, box):
    house.hear()
    house.take_back("n1", SHORT)

    assert house.hear() > 0
    assert house.row(box).state is not State.ACTIVE


def test_so_is_who_is_on_one_that_stays_after_all(house, box):
    house.take_back("n1", LONG)
    house.hear()
    assert "is taken back" in house.compute.told[-1]
    house.keep("n1")

    assert house.hear() > 0
    assert house.compute.told[-1] == ""


def test_nobody_is_woken_by_what_happens_on_other_machines_or_by_the_same_seen_again(house, box):
    house.take_back("n1", LONG)
    house.hear()
    house.take_back("n2", SHORT)
    house.compute.taken["n1"] -= SHORT
    Inventory(house.engine).take()

    assert house.hear() == 0


def test_a_gang_is_woken_once_by_whichever_of_its_machines(house, kim):
    made = house.submit(kim, gpus=8, nodes=2)
    house.work(made)
    house.hear()
    house.take_back("n2", SHORT)

    assert house.hear() == 1
    assert house.row(made).state is not State.ACTIVE


def test_its_disk_is_whole_on_another_machine(house, kim, box):
    house.take_back("n1", SHORT)
    house.work(box)
    house.cloud.lose_node("n1")

    again = house.submit(kim, disk="work")
    house.work(again)

    assert (house.row(again).state, house.row(again).node) == (State.ACTIVE, "n2")
    assert house.cloud.mounts[-1].content == ("written",)


def test_what_was_written_is_saved_though_the_machine_goes_before_the_box_has_ended(house, box):
    house.cloud.weather = Weather(
        stop=Span.seconds(45, 45), loss_noticed=Span.seconds(60, 60), detach=Span.seconds(10, 10)
    )
    house.take_back("n1", SHORT)
    house.work(box)
    assert (house.row(box).state, house.cloud.snapshots()) == (State.STOPPING, ())

    house.cloud.advance(SHORT)
    house.cloud.lose_node("n1")
    house.work(box)
    # Unknown is not gone: a snapshot now could miss what is still written.
    assert (house.row(box).state, house.cloud.snapshots()) == (State.STOPPING, ())

    house.cloud.advance(dt.timedelta(minutes=2))
    house.work(box)
    assert house.row(box).end_reason is EndReason.PREEMPTED
    assert house.row(box).state is State.ENDED
    assert [snapshot.content for snapshot in house.cloud.snapshots()] == [("written",)]


def test_a_box_with_a_long_notice_is_told_and_goes_on_until_there_is_just_time_to_save_it(house, box):
    house.take_back("n1", LONG)
    house.work(box)
    assert house.row(box).state is State.ACTIVE
    assert "is taken back" in house.compute.told[-1]
    told = len(house.compute.told)

    limits = house.engine.limits
    house.compute.taken["n1"] = dt.datetime.now(dt.UTC) + limits.grace + limits.stop_allowance + dt.timedelta(minutes=1)
    house.work(box)
    assert house.row(box).state is State.ACTIVE

    house.compute.taken["n1"] -= dt.timedelta(minutes=1)
    house.work(box)
    assert house.row(box).end_reason is EndReason.PREEMPTED
    assert len(house.compute.told) > told


@pytest.mark.parametrize(("spot", "state"), [(("n1",), State.ENDED), ((), State.ACTIVE)], ids=["spot", "kept"])
def test_where_the_cloud_does_not_say_when_only_a_spot_machine_goes_at_once(house, box, spot, state):
    house.compute.spot = spot
    house.take_back("n1", None)
    house.work(box)

    assert house.row(box).state is state
    assert "is taken back" in house.compute.told[-1]


def test_a_machine_that_stays_after_all_takes_the_notice_away(house, box):
    house.take_back("n1", LONG)
    house.work(box)
    house.compute.taken.clear()
    house.work(box)

    assert house.row(box).state is State.ACTIVE
    assert house.compute.told[-1] == ""


def test_who_is_on_another_machine_is_left_alone(house, box):
    told = list(house.compute.told)
    house.take_back("n2", SHORT)
    house.work(box)

    assert house.row(box).state is State.ACTIVE
    assert house.compute.told == told


def test_no_question_is_asked_while_its_machine_takes_people_in(house, box):
    house.compute.trouble = AssertionError("asked")
    house.work(box)

    assert (house.row(box).state, house.row(box).detail) == (State.ACTIVE, "ready")


@pytest.mark.parametrize("other", [LONG, None], ids=["long", "no-time"])
def test_a_gang_ends_with_the_first_of_its_machines(house, kim, other):
    made = house.submit(kim, gpus=8, nodes=2)
    house.work(made)
    assert [peer.node for peer in house.row(made).peers] == ["n1", "n2"]

    house.take_back("n1", other)
    house.work(made)
    assert house.row(made).state is State.ACTIVE
    house.take_back("n2", SHORT)
    house.work(made)

    assert house.row(made).end_reason is EndReason.PREEMPTED


@pytest.mark.parametrize("notice", [SHORT, LONG, None], ids=["short", "long", "no-time"])
def test_who_is_being_brought_up_there_goes_back_in_line_and_keeps_their_place(house, kim, notice):
    made = house.submit(kim)
    house.plan()
    before = house.row(made)
    assert (before.state, before.node) == (State.PREPARING, "n1")

    house.take_back("n1", notice)
    house.processor.handle("reservation", made)
    row = house.row(made)
    assert (row.state, row.seq, row.failures) == (State.QUEUED, before.seq, 0)
    assert row.detail == "back in line: its machine is taken back: spot"

    house.sql("UPDATE reservation SET retry_at = NULL")
    house.work(made)
    assert (house.row(made).state, house.row(made).node) == (State.ACTIVE, "n2")


def test_a_box_that_cannot_be_told_is_saved_all_the_same(house, box, monkeypatch):
    def refuse(server_id, files):
        raise TryLater("the machine is busy")

    monkeypatch.setattr(house.compute, "configure", refuse)
    house.take_back("n1", SHORT)
    house.work(box)

    assert house.row(box).end_reason is EndReason.PREEMPTED
    assert [snapshot.content for snapshot in house.cloud.snapshots()] == [("written",)]


@pytest.mark.parametrize("trouble", [TryLater("busy"), Unworkable("not allowed")], ids=["later", "never"])
def test_what_cannot_be_told_of_machines_ends_nobody(house, box, trouble):
    house.take_back("n1", SHORT)
    house.compute.trouble = trouble
    house.work(box)

    assert (house.row(box).state, house.row(box).detail) == (State.ACTIVE, "ready")
