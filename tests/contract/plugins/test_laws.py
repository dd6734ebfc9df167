"""The laws that only read: each way to break one is found by its number, and nothing is ever made, changed or deleted."""

from __future__ import annotations

import pathlib
import threading
import uuid

import attrs
import pytest

from gpudev_sdk.domain.gpu import GpuType, Node, Slot
from gpudev_sdk.domain.server import Presence, Sighting
from gpudev_sdk.errors import NotFound, TryLater, Unworkable
from gpudev_sdk.laws import Place, Result, judge
from gpudev_sdk.laws.judge import LAWS, hangs
from gpudev_sdk.providers import Context
from tests.contract.plugins.everything import (
    KIND,
    NODES,
    NOW,
    READS,
    EveryCompute,
    EveryStorage,
    World,
)

KEPT, BROKEN, NOT_TRIED = Result.KEPT, Result.BROKEN, Result.NOT_TRIED


def place(world=None, *, compute=EveryCompute, storage=EveryStorage, **more):
    """Return a place whose providers are of these classes, as their owner and as another install sees it."""
    world = world or World()
    ours, others = (
        Context(install_id=install, name="b", data_folder=pathlib.Path("/nowhere"))
        for install in (world.owner, uuid.uuid4())
    )
    return Place(
        compute=compute(world, ours), others_compute=compute(world, others),
        storage=storage(world, ours), others_storage=storage(world, others), **more,
    )  # fmt: skip


def raising(error):
    def method(self, *arguments):
        raise error

    return method


def broken_by(verdicts):
    return {verdict.number for verdict in verdicts if verdict.result is BROKEN}


def test_who_keeps_every_law_is_said_to():
    verdicts = judge(place())

    assert {verdict.result for verdict in verdicts} == {KEPT}, verdicts
    assert len(verdicts) == len(LAWS) + 2


def test_nothing_is_ever_made_changed_or_deleted():
    world = World()

    judge(place(world))

    assert set(world.calls) == READS


@pytest.mark.parametrize("storage", [EveryStorage, None])
def test_only_what_is_there_is_asked(storage):
    world = World()
    ours = Context(install_id=world.owner, name="b", data_folder=pathlib.Path("/nowhere"))

    verdicts = judge(Place(storage=None if storage is None else storage(world, ours)))

    assert {verdict.number[0] for verdict in verdicts} == ({"1"} if storage is None else {"1", "3", "4", "7", "8"})


def test_another_install_that_was_not_built_is_not_tried():
    world = World()
    ours = Context(install_id=world.owner, name="b", data_folder=pathlib.Path("/nowhere"))

    verdicts = judge(Place(compute=EveryCompute(world, ours), storage=EveryStorage(world, ours)))

    assert {verdict.result for verdict in verdicts if verdict.number == "1.4"} == {NOT_TRIED}


def instead(kind, name, **fields):
    """Answer as `kind` does by this method, but for some fields of what it says."""

    def method(self, *arguments):
        said = getattr(kind, name)(self, *arguments)
        return (
            tuple(attrs.evolve(each, **fields) for each in said)
            if isinstance(said, tuple)
            else attrs.evolve(said, **fields)
        )

    return {name: method}


def twice(kind, name):
    return {name: lambda self: getattr(kind, name)(self) * 2}


def another_each_time(self):
    return (attrs.evolve(EveryCompute.list_instances(self)[0], state=uuid.uuid4().hex),)


BROKEN_COMPUTE = {
    "another install sees a server": ("1.4", {"_own": lambda self, *things: things}),
    "a type twice": ("2.1", twice(EveryCompute, "gpu_types")),
    "a type with a capital": ("2.1", {"gpu_types": lambda self: (KIND, GpuType(name="H100", gpus_per_node=1))}),
    "a type without slots": ("2.1", {"gpu_types": lambda self: (KIND, GpuType(name="cpu", gpus_per_node=0))}),
    "a slot of no type": (
        "2.2",
        {"nodes": lambda self: (*NODES, Node(name="c", slots=(Slot(gpu_type="x", index=0),)))},
    ),
    "two slots alike": ("2.2", {"nodes": lambda self: (*NODES, Node(name="c", slots=NODES[0].slots * 2))}),
    "an unlawful node": ("2.2", {"nodes": lambda self: (*NODES, Node(name="c d", slots=()))}),
    "an unlisted zone": ("2.2", {"nodes": lambda self: (*NODES, Node(name="c", slots=(), zone="moon"))}),
    "less than no volumes": ("2.2", {"nodes": lambda self: (*NODES, Node(name="c", slots=(), volumes=-1))}),
    "no reason": ("2.2", instead(EveryCompute, "nodes", reason="")),
    "got what is not there": ("2.3", {"get_instance": lambda self, name: self.list_instances()[0]}),
    "got another": ("2.3", {"list_instances": another_each_time}),
    "no words": ("2.4", {"describe": lambda self: {"gpus": 8}}),
    "present": ("2.5", instead(EveryCompute, "observe", presence=Presence.PRESENT)),
    "a server twice": ("2.7", twice(EveryCompute, "list_servers")),
    "no claim": ("2.12", {"read_claim": lambda self: {"epoch": 1}}),
    "the question is called wrong": ("2.12", {"read_claim": raising(NotFound("gone"))}),
    "a pool without machines": ("9.1", instead(EveryCompute, "node_pools", machine_type="")),
    "a pool out of bounds": ("9.1", instead(EveryCompute, "node_pools", wanted=3)),
    "a pool with GPUs of no type": ("9.1", instead(EveryCompute, "node_pools", gpu_type=None)),
    "a pool twice": ("9.1", twice(EveryCompute, "node_pools")),
    "a spot node that is none": ("9.6", {"spot_nodes": lambda self: ("z",)}),
    "a node that goes takes people in": ("9.7", instead(EveryCompute, "interruptions", node="a")),
    "a node that goes in no zone": ("9.7", instead(EveryCompute, "interruptions", at=NOW.replace(tzinfo=None))),
    "more free than there is": ("9.8", instead(EveryCompute, "capacity_reservations", available=3)),
    "a reservation of no name": ("9.8", instead(EveryCompute, "capacity_reservations", id="")),
}
BROKEN_STORAGE = {
    "another install sees things": ("1.4", {"_own": lambda self, *things: things}),
    "a volume is there": ("3.1", instead(EveryStorage, "get_volume", presence="present")),
    "a volume twice": ("3.2", twice(EveryStorage, "list_volumes")),
    "a volume listed as absent": ("3.2", instead(EveryStorage, "list_volumes", presence="absent")),
    "a snapshot is there": ("4.1", instead(EveryStorage, "get_snapshot", presence="present")),
    "complete and no time": ("4.1", instead(EveryStorage, "list_snapshots", completed_at=None)),
    "complete in no zone": ("4.1", instead(EveryStorage, "list_snapshots", completed_at=NOW.replace(tzinfo=None))),
    "a snapshot twice": ("4.6", twice(EveryStorage, "list_snapshots")),
    "a snapshot listed as absent": ("4.6", instead(EveryStorage, "list_snapshots", presence="absent")),
    "something is found": ("7.1", {"find_object": lambda self, key: EveryStorage.find_object(self, key) or (1, b"")}),
    "not by key": ("7.5", {"list_objects": lambda self: EveryStorage.list_objects(self)[::-1]}),
    "a blob twice": ("7.5", {"list_objects": lambda self: EveryStorage.list_objects(self)[:1] * 2}),
    "any key": ("7.6", {"find_object": lambda self, key: None}),
    "a share is there": ("8.1", instead(EveryStorage, "get_share", presence="present")),
    "a share twice": ("8.1", twice(EveryStorage, "list_shares")),
}


@pytest.mark.parametrize(("number", "changed"), BROKEN_COMPUTE.values(), ids=BROKEN_COMPUTE)
def test_compute_that_breaks_a_law_breaks_that_one(number, changed):
    assert broken_by(judge(place(compute=type("Bad", (EveryCompute,), changed)))) == {number}


@pytest.mark.parametrize(("number", "changed"), BROKEN_STORAGE.values(), ids=BROKEN_STORAGE)
def test_storage_that_breaks_a_law_breaks_that_one(number, changed):
    assert broken_by(judge(place(storage=type("Bad", (EveryStorage,), changed)))) == {number}


def test_only_who_can_hold_gangs_offers_them():
    lonely = type("Lonely", tuple(base for base in EveryCompute.__mro__ if base.__name__ in ("Recording", "Compute")),
                  {name: value for name, value in vars(EveryCompute).items() if name != "__abstractmethods__"})  # fmt: skip

    assert broken_by(judge(place(compute=lonely))) == {"2.13"}


def test_a_late_answer_breaks_the_law_of_time():
    verdicts = judge(place(budget=-1.0))

    assert broken_by(verdicts) == {"1.1"}
    assert "must return within" in verdicts[0].why


def test_an_exception_that_nobody_translated_is_named():
    strange = type("Strange", (EveryCompute,), {"list_servers": raising(KeyError("nodePool"))})

    verdicts = judge(place(compute=strange))

    assert broken_by(verdicts) == {"1.4", "1.6", "2.7"}
    assert "KeyError: 'nodePool'" in verdicts[1].why


def test_a_place_that_cannot_answer_breaks_nothing():
    away = {name: raising(TryLater("no route")) for name in READS if hasattr(EveryCompute, name)}

    verdicts = judge(place(compute=type("Away", (EveryCompute,), away)))

    assert broken_by(verdicts) == set()
    assert {verdict.why for verdict in verdicts if verdict.number.startswith("2.")} == {"no route"}


def test_that_it_cannot_be_told_breaks_nothing():
    blind = type("Blind", (EveryCompute,), {"observe": lambda self, server_id: Sighting.unknown("fog")})
    dim = type("Dim", (EveryStorage,), instead(EveryStorage, "get_volume", presence="unknown", reason="fog"))

    verdicts = judge(place(compute=blind, storage=dim))

    assert {verdict.number for verdict in verdicts if verdict.result is NOT_TRIED} == {"2.5", "3.1"}
    assert broken_by(verdicts) == set()


@pytest.mark.parametrize(("error", "result"), [(Unworkable("not yours"), KEPT), (TryLater("busy"), NOT_TRIED)])
def test_another_install_may_be_refused_for_good(error, result):
    def list_volumes(self):
        return EveryStorage.list_volumes(self) if self.mine else raising(error)(self)

    verdicts = judge(place(storage=type("Closed", (EveryStorage,), {"list_volumes": list_volumes})))

    assert broken_by(verdicts) == set()
    assert result in {verdict.result for verdict in verdicts if "no volume" in verdict.says}


def test_a_call_that_hangs_is_broken_and_the_rest_is_not_tried():
    over = threading.Event()
    hung = type("Hung", (EveryCompute,), {"describe": lambda self: over.wait(60) and {}})

    verdicts = judge(place(compute=hung), longest=0.2)
    over.set()

    assert hangs(verdicts)
    assert broken_by(verdicts) == {"1.1", "2.4"}
    after = [verdict.number for verdict in verdicts].index("2.4") + 1
    assert {verdict.result for verdict in verdicts[after:]} == {NOT_TRIED}
