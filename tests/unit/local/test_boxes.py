"""What is written down of boxes."""

from __future__ import annotations

import os
import time
import uuid

import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.local import boxes, sockets
from gpudev_sdk.local.boxes import Shelf

ONE = ServerId(uuid.UUID(int=1), 1)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path, uuid.UUID(int=9))


@pytest.fixture
def box(shelf):
    made = shelf.at(ONE)
    made.folder.mkdir()
    return made


def test_only_folders_named_as_attempts_are_boxes(shelf, box):
    (box.folder.parent / "something").mkdir()

    assert [found.server_id for found in shelf.all()] == [ONE]


def test_a_lock_that_is_held_is_not_quiet_and_not_given_twice(box):
    held = box.take_lock()

    assert not box.is_quiet()
    assert box.take_lock() is None
    os.close(held)
    assert box.is_quiet()


def test_a_damaged_record_is_unknown_and_not_none(box):
    (box.folder / "init.json").write_text("{")

    with pytest.raises(TryLater, match="damaged"):
        box.read("init")


def test_a_record_of_another_version_is_read_as_far_as_it_is_known(box):
    known = {"boot": "b", "uid": 1, "isolation": "sandbox", "socket": "/s", "volume": "", "created_at": 0.0}
    box.write("intent", known | {"groups": ["/g"], "from_later": 1})

    assert box.intent() == boxes.Intent(**known | {"groups": ("/g",)})


def test_a_tombstone_lasts_longer_than_an_hour_even_if_the_clock_steps(shelf, monkeypatch):
    shelf.bury(ONE)
    now = time.time()
    monkeypatch.setattr(boxes.time, "time", lambda: now + 3 * 3600)

    shelf.bury(ServerId(uuid.UUID(int=2), 1))

    assert shelf.is_buried(ONE)


def test_an_old_tombstone_is_cleared_away(shelf, monkeypatch):
    shelf.bury(ONE)
    now = time.time()
    monkeypatch.setattr(boxes.time, "time", lambda: now + boxes.TOMBSTONE_LASTS + 60)

    shelf.bury(ServerId(uuid.UUID(int=2), 1))

    assert not shelf.is_buried(ONE)


def test_a_tombstone_of_a_box_that_is_still_there_stays(shelf, box, monkeypatch):
    shelf.bury(ONE)
    now = time.time()
    monkeypatch.setattr(boxes.time, "time", lambda: now + boxes.TOMBSTONE_LASTS + 60)

    shelf.bury(ServerId(uuid.UUID(int=2), 1))

    assert shelf.is_buried(ONE)


@pytest.mark.parametrize("length", [1, 40, 80, 200])
def test_a_sockets_path_always_fits(tmp_path, length):
    path = sockets.path_for(tmp_path / ("x" * length), ONE)

    assert len(os.fsencode(path)) <= 107


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path):
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o755)

    with pytest.raises(Exception, match="not a folder of ours"):
        sockets.listen(folder / "s")
