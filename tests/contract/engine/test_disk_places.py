"""A disk in zones: any node of its own zone may have it, and in another it comes from its snapshot."""

from __future__ import annotations

import pytest

from gpudev_sdk.domain.disk import Reach, SnapshotState
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import disk_leave, show
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.errors import Conflict, NotFound


@pytest.fixture
def zones(bench):
    """Have three nodes, two of them in one zone, and volumes that reach as far as a zone."""
    bench.memory.boxes = 3
    bench.memory.zones = {"box": "a", "box-2": "a", "box-3": "b"}
    bench.engine.backends["mem"].storage.reach = Reach.ZONE
    Inventory(bench.engine).take()


@pytest.fixture
def fill(bench, lee):
    """Have others take whole nodes, in the order of their names."""

    def some(count):
        made = [bench.submit(lee, gpus=8, name=f"full-{number}") for number in range(count)]
        bench.work(*made)
        return [bench.row(each).node for each in made]

    return some


def lived(bench, kim):
    """Have the disk live through one reservation, and return where."""
    made = bench.submit(kim, disk="home", gpus=8)
    bench.work(made)
    assert bench.row(made).state is State.ACTIVE
    bench.cancel(kim, made)
    bench.work(made)
    return bench.row(made).node


def test_the_next_box_is_on_any_node_of_the_disks_zone(bench, kim, zones, fill):
    assert lived(bench, kim) == "box"
    assert fill(1) == ["box"]

    assert lived(bench, kim) == "box-2"


def test_a_disk_of_a_node_waits_for_that_node(bench, kim, zones, fill):
    bench.engine.backends["mem"].storage.reach = Reach.NODE
    lived(bench, kim)
    fill(1)

    made = bench.submit(kim, disk="home", gpus=8)
    bench.work(made)

    assert bench.row(made).state is State.QUEUED


def test_a_disk_of_the_whole_backend_goes_anywhere(bench, kim, zones, fill):
    bench.engine.backends["mem"].storage.reach = Reach.BACKEND
    lived(bench, kim)
    fill(2)

    assert lived(bench, kim) == "box-3"


def test_the_volume_is_asked_for_in_the_zone_of_its_first_box(bench, kim, zones, fill):
    fill(2)
    lived(bench, kim)

    view = show.disk_view(bench.engine, kim, "home")

    assert (view.backend, view.zone, view.node) == ("mem", "b", None)
    assert [move.by for move in view.moves] == ["snapshot"]


def test_a_disk_that_left_its_zone_starts_in_another_from_its_snapshot_and_who_waited_too(bench, kim, zones, fill):
    lived(bench, kim)
    fill(2)
    waiting = bench.submit(kim, disk="home", gpus=8)
    bench.work(waiting)
    assert bench.row(waiting).state is State.QUEUED

    disk_leave.leave(bench.engine, kim, "home")
    assert show.disk_view(bench.engine, kim, "home").leaving
    bench.disk_work(bench.disk(kim, "home")["id"])
    bench.work(waiting)

    assert (bench.row(waiting).state, bench.row(waiting).node) == (State.ACTIVE, "box-3")
    (content,) = bench.memory.volumes.values()
    assert content == f"from {next(iter(bench.memory.snapshots))}"
    view = show.disk_view(bench.engine, kim, "home")
    assert (view.zone, view.leaving) == ("b", False)


def test_a_disk_whose_snapshot_has_not_all_of_it_stays(bench, kim, zones):
    bench.memory.snapshot_state = SnapshotState.ERROR
    lived(bench, kim)

    with pytest.raises(Conflict, match="no complete snapshot has all of"):
        disk_leave.leave(bench.engine, kim, "home")

    assert not show.disk_view(bench.engine, kim, "home").leaving


def test_a_disk_in_use_stays(bench, kim, zones):
    made = bench.submit(kim, disk="home")
    bench.work(made)

    with pytest.raises(Conflict, match="in use"):
        disk_leave.leave(bench.engine, kim, "home")


def test_there_may_be_nothing_to_leave(bench, kim, zones):
    lived(bench, kim)
    bench.sql("UPDATE disk SET reach = 'node'")
    with pytest.raises(Conflict, match="a folder of the machine box"):
        disk_leave.leave(bench.engine, kim, "home")

    bench.sql("UPDATE disk SET reach = 'backend'")
    with pytest.raises(Conflict, match="tied to no zone"):
        disk_leave.leave(bench.engine, kim, "home")

    with pytest.raises(NotFound):
        disk_leave.leave(bench.engine, kim, "no-such")


def test_an_older_process_that_knows_of_no_reach_leaves_the_disk_at_its_node(bench, kim, zones):
    lived(bench, kim)
    bench.sql("""INSERT INTO volume (id, disk_id, backend, node, state)
        SELECT gen_random_uuid(), id, backend, 'box', 'intended' FROM disk""")

    bench.sql("UPDATE disk SET volume_id = (SELECT id FROM volume WHERE state = 'intended')")

    view = show.disk_view(bench.engine, kim, "home")
    assert (view.node, view.zone) == ("box", None)
