"""Two backends of which one cannot be seen: it takes nothing new, says why, and comes back; the other goes on."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeSighting
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import accounts, show
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.availability import availability, dry_run
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.engine.inventory import STORAGE_LOOK, Inventory
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.errors import InvalidRequest, TryLater
from tests.fix_engine import HOUR, Bench, build_bench
from tests.memory_backend import CPU, H100, Memory, MemoryCompute, MemoryStorage

AWAY = "east takes nothing new, as it cannot be seen now: the line is cut"


@attrs.define
class Pair:
    """A bench over `east` and `west`, which are alike but for the GPUs that only `west` has, and ways to cut the first off."""

    bench: Bench
    inventory: Inventory
    #: Why the compute of `east` cannot be seen, and how its storage answers.
    cut: str = ""
    disks: VolumeSighting | TryLater | None = None
    asked: int = 0

    @property
    def engine(self):
        return self.bench.engine

    def look(self):
        self.inventory.take()

    def waits(self, reservation_id):
        """Return what a request in line waits for."""
        self.bench.work(reservation_id)
        assert self.bench.row(reservation_id).state is State.QUEUED
        return show.show(self.engine, reservation_id).waiting_for


@pytest.fixture
def pair(store, tmp_path, monkeypatch):
    built = build_bench(store, tmp_path)
    memories = {name: Memory() for name in ("east", "west")}
    backends = {
        name: Backend(name=name, compute=MemoryCompute(memory), storage=MemoryStorage(memory))
        for name, memory in memories.items()
    }
    engine = attrs.evolve(built.engine, backends=backends)
    claims = Claims(engine)
    made = Pair(
        Bench(engine, memories["east"], claims, Processor(engine, claims, Alarm(), "test-1")), Inventory(engine)
    )
    east, west = backends["east"], backends["west"]
    types, nodes, volume = east.compute.gpu_types, east.compute.nodes, east.storage.get_volume

    def seen(what):
        if made.cut:
            raise TryLater(made.cut)
        return what()

    def get_volume(ref):
        made.asked += 1
        if isinstance(made.disks, TryLater):
            raise made.disks
        return made.disks or volume(ref)

    monkeypatch.setattr(east.compute, "gpu_types", lambda: seen(types))
    monkeypatch.setattr(east.compute, "nodes", lambda: seen(nodes))
    monkeypatch.setattr(east.storage, "get_volume", get_volume)
    monkeypatch.setattr(west.compute, "gpu_types", lambda: (H100, CPU, attrs.evolve(H100, name="l4")))
    claims.start()
    made.look()
    return made


@pytest.fixture
def kim(pair):
    return accounts.add_user(pair.engine, "kim", None)


def up(pair, kim, **asked):
    """Ask for a box, and return where it is."""
    made = pair.bench.submit(kim, **asked)
    pair.bench.work(made)
    assert pair.bench.row(made).state is State.ACTIVE
    return pair.bench.row(made).backend


def test_of_places_that_could_start_now_the_tightest_is_taken_and_then_the_first_by_name(pair, kim):
    assert up(pair, kim, gpus=2) == "east"
    assert up(pair, kim, gpus=4, backend="west") == "west"
    assert up(pair, kim, gpus=4) == "west"
    assert up(pair, kim, gpus=6) == "east"


def test_the_plan_names_the_place_that_frees_first(pair, kim):
    up(pair, kim, gpus=8, backend="east", duration=3 * HOUR)
    up(pair, kim, gpus=8, backend="west", duration=HOUR)

    assert pair.waits(pair.bench.submit(kim, gpus=2)) == "2 × h100 in west"


def test_a_place_that_cannot_be_seen_takes_nothing_new(pair, kim):
    pair.cut = "the line is cut"
    pair.look()

    assert up(pair, kim, gpus=2) == "west"


def test_who_waits_for_a_place_that_is_away_is_told_so_and_starts_when_it_is_back(pair, kim):
    pair.cut = "the line is cut"
    pair.look()
    made = pair.bench.submit(kim, gpus=2, backend="east")
    assert pair.waits(made) == AWAY
    assert dry_run(pair.engine, kim, request(backend="east")).waiting_for == AWAY

    pair.cut = ""
    pair.look()
    pair.bench.work(made)
    assert pair.bench.row(made).backend == "east"


def test_what_runs_in_a_place_that_is_away_goes_on_and_holds_its_room(pair, kim):
    made = pair.bench.submit(kim, gpus=8, backend="east")
    pair.bench.work(made)
    pair.cut = "the line is cut"
    pair.look()
    pair.bench.work(made)
    assert pair.bench.row(made).state is State.ACTIVE

    pair.cut = ""
    pair.look()
    assert pair.waits(pair.bench.submit(kim, gpus=1, backend="east")) == "1 × h100 in east"


def test_what_is_free_is_shown_without_what_is_away_which_says_why(pair, kim):
    pair.cut = "the line is cut"
    pair.look()

    rows = {row.backend: row for row in availability(pair.engine, kim).rows if row.gpu_type == "h100"}
    shown = {name: (row.free, row.total, row.largest_now, row.trouble) for name, row in rows.items()}
    assert shown == {"east": (0, 8, 0, [AWAY]), "west": (8, 8, 8, [])}


@pytest.mark.parametrize(
    "disks",
    [
        TryLater("the cloud is silent"),
        VolumeSighting(volume_id=uuid.UUID(int=0), presence="unknown", reason="the cloud is silent"),
    ],
)
def test_a_place_whose_disks_do_not_answer_takes_nothing_new(pair, kim, passing, disks):
    pair.disks = disks
    pair.look()
    assert up(pair, kim, gpus=2) == "east"

    passing(STORAGE_LOOK)
    for _ in range(2):
        pair.look()
    assert up(pair, kim, gpus=2, name="other") == "west"
    (row,) = (row for row in availability(pair.engine, kim).rows if (row.backend, row.gpu_type) == ("east", "h100"))
    assert row.trouble == [
        "east takes nothing new, as it cannot be seen now: its disks do not answer: the cloud is silent"
    ]

    pair.disks = None
    pair.look()
    assert up(pair, kim, gpus=2, name="third") == "east"


def test_disks_that_answer_are_not_asked_again_at_once(pair, passing):
    before = pair.asked
    pair.look()
    assert pair.asked == before

    passing(STORAGE_LOOK)
    pair.look()
    pair.look()
    assert pair.asked == before + 1


def request(**changes):
    return Request(**({"gpu_type": "h100", "gpus": 1, "duration": HOUR} | changes))


def refusals(pair, kim, **changes):
    """Return what is said to a request, which a question about it is told as well."""
    with pytest.raises(InvalidRequest) as caught:
        pair.bench.submit(kim, **changes)
    with pytest.raises(InvalidRequest, match=caught.value.message):
        dry_run(pair.engine, kim, request(**changes))
    return caught.value.message, caught.value.hint


def test_a_backend_there_is_not_is_refused_with_those_there_are(pair, kim):
    assert refusals(pair, kim, backend="mars") == ("there is no backend 'mars' here", "There are: east, west.")


def test_a_backend_without_the_type_is_refused_with_those_that_have_it(pair, kim):
    assert refusals(pair, kim, backend="east", gpu_type="l4") == ("east has no l4", "There is l4 in: west.")


def test_a_disk_elsewhere_is_refused_with_both_places(pair, kim):
    made = pair.bench.submit(kim, backend="east", disk="work")
    pair.bench.work(made)
    pair.bench.cancel(kim, made)
    pair.bench.work(made)
    assert pair.bench.row(made).state is State.ENDED

    message, hint = refusals(pair, kim, backend="west", disk="work")
    assert message == "the disk 'work' is on east, and the box would be on west"
    assert "gpudev disk show work" in hint
    message, hint = refusals(pair, kim, gpu_type="l4", disk="work")
    assert message == "east has no l4, where the disk 'work' is"
    assert hint == "There is l4 in: west, with --disk and the name of another disk."
