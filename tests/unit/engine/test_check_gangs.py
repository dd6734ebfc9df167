"""The laws of slots, the line and limits for reservations of several nodes, each one step from a lawful install."""

from __future__ import annotations

import attrs
import pytest

from gpudev_sdk.domain.server import Peer
from tests.unit.engine.check_make import (
    ACTIVE,
    LEE,
    LIMITS,
    MINUTE,
    NOW,
    START,
    STOPPING,
    WAITING,
    Install,
    server,
    slot,
)

TWO = {"nodes": 2, "slots_needed": 2, "gpus": 2}


def held(*places, holder=ACTIVE, **fields):
    """Return slots by (node, index)."""
    return tuple(slot(index, holder, node=node, **fields) for node, index in places)


def runs(*peers, holder=ACTIVE):
    """Return a server on these nodes."""
    return attrs.evolve(server(holder, 0), node=peers[0].node, slots=peers[0].slots, peers=peers)


BOTH = [("n1", 0), ("n1", 2), ("n2", 0), ("n2", 1)]
OTHER = slot(1, STOPPING)
GANG = (
    Install()
    .row(ACTIVE, **TWO)
    .put(slots=(*held(*BOTH), OTHER))
    .seen(
        servers=(runs(Peer("n1", (0, 2)), Peer("n2", (0, 1))), server(STOPPING, 1)),
        allocatable={("n1", "h100"): 8, ("n2", "h100"): 2},
    )
)
ELSEWHERE = runs(Peer("n1", (0, 2)), Peer("n3", (0, 1)))
LATE = [("submitted", START), ("to-preparing", NOW - MINUTE), ("launch", NOW - MINUTE), ("to-active", NOW - MINUTE)]
PASSED = GANG.told(ACTIVE, *LATE).row(ACTIVE, started_at=NOW, expires_at=NOW).row(WAITING, seq=1, granted=60.0, **TWO)


def test_a_whole_gang_breaks_no_law():
    assert GANG.laws() == []
    assert GANG.row(ACTIVE, state="preparing", started_at=None, expires_at=None).laws(only={"I-1", "I-19"}) == []


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("I-19", GANG.put(slots=(*held(*BOTH[:2]), OTHER))),
        ("I-19", GANG.put(slots=(*held(*BOTH[:3]), OTHER))),
        ("I-19", GANG.put(slots=(*held(*BOTH[:3], ("n1", 3)), OTHER))),
        ("I-19", GANG.put(slots=(*held(*BOTH[:2]), *held(*BOTH[2:], zone="far"), OTHER))),
        ("I-1", GANG.put(slots=(*held(*BOTH, ("n3", 0), ("n3", 1)), OTHER))),
        ("I-1", GANG.put(slots=(*held(("n2", 0), ("n2", 1), ("n3", 0), ("n3", 1)), OTHER))),
        ("I-1", GANG.seen(servers=(ELSEWHERE, server(STOPPING, 1)))),
        ("I-1", GANG.seen(allocatable={("n1", "h100"): 8, ("n2", "h100"): 1}).put(slots=(*held(*BOTH[:3]), OTHER))),
        ("I-1", GANG.seen(servers=(runs(Peer("n1", (0, 1)), Peer("n2", (0, 1))), server(STOPPING, 1)))),
    ],
    ids=[
        "one node of two", "a part of a node", "uneven", "two zones", "a node too many", "not its first node",
        "a share on another node", "a share that overfills its node", "a share on another's slot",
    ],
)  # fmt: skip
def test_a_broken_gang_is_found(law, broken):
    assert law in broken.laws()


def test_a_stopping_gang_whose_slots_are_free_may_still_have_traces_on_its_nodes():
    stopping = GANG.row(ACTIVE, state="stopping", end_reason="cancelled", gone_at=NOW).put(slots=(OTHER,))

    assert "I-1" not in stopping.laws()


def test_an_older_gang_of_the_same_size_goes_first():
    assert "I-10" in PASSED.laws()


@pytest.mark.parametrize("fields", [{"nodes": 3}, {"slots_needed": 1}, {"slots_needed": 3}], ids=str)
def test_a_larger_gang_or_one_of_other_nodes_may_be_passed(fields):
    assert "I-10" not in PASSED.row(WAITING, **fields).laws()


def test_a_gang_may_not_pass_one_node():
    assert "I-10" in PASSED.row(WAITING, nodes=1, slots_needed=1, gpus=1).laws()


@pytest.mark.parametrize(("most", "laws"), [(5, []), (4, ["I-11"])])
def test_the_gpus_of_all_nodes_count(most, laws):
    install = GANG.row(WAITING, owner_id=LEE, gpus=2, nodes=2, slots_needed=2)

    assert attrs.evolve(install, limits=attrs.evolve(LIMITS, max_gpus_per_user=most)).laws() == laws
