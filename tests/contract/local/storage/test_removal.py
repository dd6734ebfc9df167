"""Removing what a person left: nothing is followed, nothing is in the way, and nothing else is touched."""

from __future__ import annotations

import os
import stat

import pytest

from gpudev_sdk.errors import Conflict
from gpudev_sdk.local import locks
from tests.contract.local.storage.places import own, take, wait
from tests.contract.local.storage.test_bounds import nest


def is_clean(place):
    return not [path for path in (place.disks / "work").iterdir() if path.is_dir()]


def test_a_symlink_is_removed_and_not_what_it_points_to(place, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "f").write_text("x")
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "folder").symlink_to(tmp_path / "theirs")
    own(home)

    storage.delete_volume(volume)

    wait(lambda: is_clean(place))
    assert (tmp_path / "theirs" / "f").read_text() == "x"


def test_closed_folders_fifos_and_sockets_are_in_nobodys_way(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "closed" / "inner").mkdir(parents=True)
    (home / "closed" / "inner" / "f").write_text("x")
    os.mkfifo(home / "fifo")
    own(home)
    (home / "closed" / "inner").chmod(0o000)
    (home / "closed").chmod(0o000)
    home.chmod(0o000)

    storage.delete_volume(volume)

    wait(lambda: is_clean(place))


def test_folders_nested_without_end_are_removed(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    nest(home, 1500)

    storage.delete_volume(volume)

    wait(lambda: is_clean(place))


def test_a_snapshot_is_removed_and_its_volume_stays(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "f").write_text("x")
    own(home)
    snapshot = take(storage, volume)

    storage.delete_snapshot(snapshot)

    wait(lambda: is_clean(place))
    assert list((place.disks / "snapshots").iterdir()) == []
    assert (home / "f").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has only their own files")
def test_what_the_owner_may_not_remove_stays_in_the_trash_and_is_tried_again(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "operators").mkdir()
    (home / "operators" / "f").write_text("x")
    storage.delete_volume(volume)
    left = [path for path in (place.disks / "work").iterdir() if path.is_dir()]
    assert storage.get_volume(volume).presence == "absent"
    assert [path.name.startswith("trash-") for path in left] == [True]
    os.chown(left[0] / "home" / "operators", left[0].joinpath("home").stat().st_uid, -1)

    other, _ = place.volume(storage)
    storage.delete_volume(other)

    wait(lambda: is_clean(place))


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has only their own files")
def test_an_empty_folder_of_roots_that_a_killed_start_left_is_removed(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "inner").mkdir()
    own(home)
    (home / "inner" / "roots").mkdir(mode=0o700)

    storage.delete_volume(volume)

    wait(lambda: is_clean(place))


def test_a_disk_in_use_is_not_removed(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    held = locks.take(home.parent)

    with pytest.raises(Conflict, match="in use"):
        storage.delete_volume(volume)

    os.close(held)
    assert stat.S_ISDIR(home.stat().st_mode)
