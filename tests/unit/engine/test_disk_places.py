"""Where a disk lies, and what it says of moving."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.engine.disk_places import Place, moves, place_of

VOLUME = uuid.UUID(int=7)


def disk(**fields):
    lies = {"name": "home", "backend": "east", "node": "n1", "zone": "east-a", "volume_id": VOLUME, "reach": "zone"}
    return lies | fields


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (None, Place()),
        (disk(backend=None, node=None, zone=None, volume_id=None, reach="node"), Place()),
        (disk(reach="node"), Place(backend="east", node="n1")),
        (disk(reach="node", volume_id=None), Place(backend="east", node="n1")),
        (disk(), Place(backend="east", zone="east-a")),
        (disk(volume_id=None), Place(backend="east")),
        (disk(reach="backend"), Place(backend="east")),
    ],
)
def test_a_disk_ties_its_box_as_far_as_its_volume_reaches(row, place):
    assert place_of(row) == place


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (disk(backend=None, volume_id=None), []),
        (disk(reach="node"), [("another node of east", "copy"), ("west", "copy")]),
        (disk(), [("another zone of east", "snapshot"), ("west", "copy")]),
        (disk(volume_id=None), [("west", "copy")]),
        (disk(reach="backend"), [("west", "copy")]),
    ],
)
def test_it_says_what_moving_takes_and_how(row, told):
    found = moves(row, ["east", "west"])

    assert [(move.to, move.by) for move in found] == told
    assert all("home" in move.how for move in found)
