"""A node that can have only so many volumes, over the simulated cloud: who has a disk waits for a place, others do not."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import accounts, availability, doctor
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.testing.cloud import CloudNode, Span
from tests.contract.engine.house import House
from tests.fix_engine import HOUR


def build(store, tmp_path, *volumes, **weather):
    """The engine over a cloud whose nodes can have so many volumes."""
    nodes = tuple(
        CloudNode(name=f"n{number}", slots={"h100": 8, "cpu": 4}, volumes=most)
        for number, most in enumerate(volumes, start=1)
    )
    return House.build(store, tmp_path, nodes, **weather)


@pytest.fixture
def house(store, tmp_path):
    return build(store, tmp_path, 1)


@pytest.fixture
def kim(house):
    return accounts.add_user(house.engine, "kim", None)


def line(house, kim):
    """Ask for two boxes with disks and one without, and return what became of them."""
    made = [house.submit(kim, disk=disk) for disk in ("home", "data", None)]
    house.work(*made)
    return made


def let_have(house, most):
    """Let the node have so many volumes from now on."""
    machines = house.cloud.machines
    machines.nodes["n1"] = attrs.evolve(machines.nodes["n1"], volumes=most)
    Inventory(house.engine).take()


def test_of_two_boxes_with_disks_the_second_waits_with_a_time_and_one_without_starts(house, kim):
    first, second, third = line(house, kim)

    assert [house.row(each).state for each in (first, second, third)] == [State.ACTIVE, State.QUEUED, State.ACTIVE]
    (placed,) = house.sql("SELECT starts_at, waiting_for FROM plan WHERE reservation_id = %s", second)
    assert placed["starts_at"] > house.row(first).expires_at
    assert placed["waiting_for"] == "1 × h100 on a node that can take another disk"


def test_the_doctor_finds_nothing_when_the_next_has_just_been_planned(house, kim):
    house.work(house.submit(kim, disk="home"))
    house.submit(kim, disk="data")
    house.plan()

    assert house.lawful()


def test_the_doctor_finds_who_is_brought_up_without_a_place_until_they_are_up(store, tmp_path):
    house = build(store, tmp_path, 1, boot=Span.seconds(60, 60))
    kim = accounts.add_user(house.engine, "kim", None)
    made = house.submit(kim, disk="home")
    house.work(made)
    let_have(house, 0)

    assert [found.law for found in doctor.examine(house.engine).findings] == ["I-21"]
    house.pass_by(61, made)
    assert house.row(made).state is State.ACTIVE
    assert house.lawful()


def test_one_of_another_type_waits_for_the_same_place(house, kim):
    first = house.submit(kim, disk="home")
    second = house.submit(kim, disk="data", gpu_type="cpu", gpus=0)
    house.work(first, second)

    assert (house.row(first).state, house.row(second).state) == (State.ACTIVE, State.QUEUED)


def test_a_box_that_is_still_preparing_has_its_place(store, tmp_path):
    house = build(store, tmp_path, 1, boot=Span.seconds(60, 60))
    kim = accounts.add_user(house.engine, "kim", None)
    first = house.submit(kim, disk="home")
    house.work(first)
    Inventory(house.engine).take()
    second = house.submit(kim, disk="data")
    house.work(second)

    assert (house.row(first).state, house.row(second).state) == (State.PREPARING, State.QUEUED)


def test_the_second_starts_when_the_first_ends_without_another_look_at_the_cloud(house, kim):
    first, second, _ = line(house, kim)

    house.cancel(kim, first)
    house.work(first, second)

    assert house.row(second).state is State.ACTIVE


def test_a_place_is_free_once_the_volume_is_let_go_and_no_sooner(store, tmp_path):
    house = build(store, tmp_path, 1, detach=Span.seconds(60, 60), snapshot=Span.seconds(9999, 9999))
    kim = accounts.add_user(house.engine, "kim", None)
    first, second, _ = line(house, kim)

    house.cancel(kim, first)
    house.work(first)
    assert house.row(first).gone_at is not None
    assert house.row(second).state is State.QUEUED
    house.sql("UPDATE planner SET wake_at = NULL")
    house.pass_by(61, first)

    assert house.row(first).disk_released_at is None
    assert house.row(second).state is State.PREPARING


def test_another_node_that_has_a_place_is_used(store, tmp_path):
    house = build(store, tmp_path, 1, None)
    kim = accounts.add_user(house.engine, "kim", None)
    made = line(house, kim)

    assert [house.row(each).state for each in made] == [State.ACTIVE] * 3
    assert {house.row(each).node for each in made[:2]} == {"n1", "n2"}


def test_a_gang_has_its_disk_where_there_is_a_place(store, tmp_path):
    house = build(store, tmp_path, 0, 1)
    kim = accounts.add_user(house.engine, "kim", None)
    made = house.submit(kim, gpus=8, nodes=2, disk="home")
    house.work(made)

    assert house.row(made).state is State.ACTIVE
    assert [peer.node for peer in house.row(made).peers] == ["n2", "n1"]


def test_a_gang_takes_no_place_on_its_other_nodes(store, tmp_path):
    house = build(store, tmp_path, 1, 1)
    kim = accounts.add_user(house.engine, "kim", None)
    gang = house.submit(kim, gpus=8, nodes=2, disk="home")
    house.work(gang)
    made = [house.submit(kim, gpu_type="cpu", gpus=0, disk=disk) for disk in ("data", "more")]
    house.work(*made)

    assert [house.row(each).state for each in made] == [State.ACTIVE, State.QUEUED]
    assert house.row(made[0]).node == "n2"


def test_a_dry_run_knows_of_it(house, kim):
    line(house, kim)

    shapes = [Request(gpu_type="h100", gpus=1, duration=HOUR, disk=disk) for disk in ("new", None)]
    with_disk, without = [availability.dry_run(house.engine, kim, shape) for shape in shapes]

    assert with_disk.waiting_for == "1 × h100 on a node that can take another disk"
    assert without.waiting_for == ""


def test_what_a_node_can_have_is_written_down_as_it_changes(house):
    for most in (3, None, 0):
        let_have(house, most)

        assert house.sql("SELECT volumes FROM node") == [{"volumes": most}]
