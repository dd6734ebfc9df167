"""The lock of a volume: one box at a time, and let go by the kernel when its holder dies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.local import locks
from tests.contract.local.storage.places import volume_spec, wait


@pytest.fixture
def root(place):
    spec = volume_spec()
    place.storage().create_volume(spec)
    return place.disks / "volumes" / str(spec.volume_id)


def test_a_lock_is_taken_by_one_at_a_time(root):
    held = locks.take(root)

    with pytest.raises(Conflict):
        locks.take(root)

    os.close(held)
    os.close(locks.take(root))


def test_a_lock_is_free_until_a_box_takes_it(root):
    assert locks.is_free(root)

    held = locks.take(root)

    assert not locks.is_free(root)
    os.close(held)
    assert locks.is_free(root)


def test_a_copy_keeps_boxes_out_and_leaves_the_lock_free(root):
    shared = locks.share(root)

    assert locks.is_free(root)
    with pytest.raises(Conflict):
        locks.take(root)
    os.close(shared)


def test_a_lock_handed_to_a_process_lasts_as_long_as_it(root):
    held = locks.take(root)
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(held,))
    os.close(held)
    assert not locks.is_free(root)

    holder.kill()
    holder.communicate()

    wait(lambda: locks.is_free(root))


def test_a_removed_volume_is_free(root):
    root.rename(root.with_name("gone"))

    assert locks.is_free(root)
    with pytest.raises(Unworkable):
        locks.take(root)


def test_of_a_volume_on_an_unmounted_folder_it_cannot_be_told(root, place):
    place.disks.rename(place.disks.with_name("elsewhere"))

    with pytest.raises(TryLater):
        locks.is_free(root)


def test_a_lock_that_is_a_symlink_is_not_followed(root, tmp_path):
    (tmp_path / "target").touch()
    (root / "lock").unlink()
    (root / "lock").symlink_to(tmp_path / "target")

    with pytest.raises(TryLater):
        locks.take(root)


def test_a_lock_of_a_volume_that_was_removed_meanwhile_is_not_taken(root, monkeypatch):
    """Between opening and locking, the volume may be renamed away; its lock would keep nobody from anything."""
    opened = locks._open

    def then_removed(where):
        descriptor = opened(where)
        root.rename(root.with_name("gone"))
        return descriptor

    monkeypatch.setattr(locks, "_open", then_removed)

    with pytest.raises(Conflict, match="removed meanwhile"):
        locks.take(root)
