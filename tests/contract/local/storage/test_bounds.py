"""Bounds: how large a disk may be to be copied, and how much space is left alone."""

from __future__ import annotations

import os

import pytest

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.errors import NoCapacity, SnapshotsOff
from gpudev_sdk.local import snapshots, space
from tests.contract.local.storage.places import own, ref, snapshot_spec, take, volume_spec, wait

MEGABYTE = 1_000_000


@pytest.fixture
def copying(place):
    """Return a function that builds a storage on a filesystem that copies; skip where blocks are shared."""

    def build(**changes):
        storage = place.storage(**changes)
        storage.create_volume(volume_spec())
        if storage._snapshots.shares_blocks():
            pytest.skip("this filesystem shares blocks: there is no limit")
        return storage

    return build


def test_a_disk_over_the_limit_has_no_snapshots_and_is_told_why(place, copying):
    storage = copying(snapshot_limit_bytes=MEGABYTE)
    volume, home = place.volume(storage)
    (home / "big").write_bytes(os.urandom(2 * MEGABYTE))

    with pytest.raises(SnapshotsOff, match=r"over 1\.0 MB, and this filesystem cannot share blocks"):
        storage.create_snapshot(snapshot_spec(volume))

    assert storage.list_snapshots() == ()
    assert (home / "big").exists()


def test_a_large_file_of_holes_is_under_the_limit(place, copying):
    storage = copying(snapshot_limit_bytes=MEGABYTE)
    volume, home = place.volume(storage)
    with (home / "sparse").open("wb") as file:
        file.truncate(2**40)
    own(home)

    take(storage, volume)


def test_a_disk_too_large_to_count_is_given_up_by_the_copy_and_said_at_the_next(place, copying, monkeypatch):
    storage = copying(snapshot_limit_bytes=MEGABYTE)
    monkeypatch.setattr(snapshots, "_COUNTED", 0)
    volume, home = place.volume(storage)
    (home / "uncounted").mkdir()
    (home / "uncounted" / "big").write_bytes(os.urandom(2 * MEGABYTE))
    own(home)
    first = snapshot_spec(volume)

    storage.create_snapshot(first)
    wait(lambda: storage.get_snapshot(ref(first)).state is SnapshotState.ERROR)

    assert "over 1.0 MB" in storage.get_snapshot(ref(first)).reason
    with pytest.raises(SnapshotsOff, match=r"over 1\.0 MB"):
        storage.create_snapshot(snapshot_spec(volume))


def test_a_disk_with_too_many_files_is_given_up(place, copying, monkeypatch):
    monkeypatch.setattr(snapshots, "MAX_ENTRIES", 3)
    storage = copying()
    volume, home = place.volume(storage)
    for number in range(5):
        (home / str(number)).touch()
    own(home)
    spec = snapshot_spec(volume)

    storage.create_snapshot(spec)

    wait(lambda: storage.get_snapshot(ref(spec)).state is SnapshotState.ERROR)
    assert storage.get_snapshot(ref(spec)).reason == "it has more than 3 files"


def test_folders_nested_without_end_fail_the_snapshot_and_say_so(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    nest(home, 300)
    spec = snapshot_spec(volume)

    storage.create_snapshot(spec)

    wait(lambda: storage.get_snapshot(ref(spec)).state is SnapshotState.ERROR)
    assert "nested more than" in storage.get_snapshot(ref(spec)).reason


def test_a_failed_snapshot_leaves_nothing_but_the_note_of_it(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    nest(home, 300)
    spec = snapshot_spec(volume)

    storage.create_snapshot(spec)

    wait(lambda: storage.get_snapshot(ref(spec)).state is SnapshotState.ERROR)
    wait(lambda: not [path for path in (place.disks / "work").iterdir() if path.is_dir()])
    storage.delete_snapshot(ref(spec))
    assert storage.get_snapshot(ref(spec)).presence == "absent"


def test_below_the_floor_no_disk_is_made_and_the_next_step_is_said(place):
    storage = place.storage(free_floor_bytes=2**60)

    with pytest.raises(NoCapacity, match="free") as refused:
        storage.create_volume(volume_spec())

    assert "Free space there" in refused.value.hint
    assert storage.list_volumes() == ()


def test_below_the_floor_no_snapshot_is_taken_and_the_disk_stays(place):
    volume, home = place.volume(place.storage())
    storage = place.storage(free_floor_bytes=2**60)

    with pytest.raises(SnapshotsOff, match="free"):
        storage.create_snapshot(snapshot_spec(volume))

    assert home.exists()


def test_a_restore_that_would_go_below_the_floor_is_not_begun(place, copying, monkeypatch):
    storage = copying()
    volume, home = place.volume(storage)
    (home / "big").write_bytes(os.urandom(5 * MEGABYTE))
    own(home)
    snapshot = take(storage, volume)
    monkeypatch.setattr(space, "free_bytes", lambda folder: 10 * MEGABYTE)
    nearly_full = place.storage(free_floor_bytes=8 * MEGABYTE)

    with pytest.raises(NoCapacity):
        nearly_full.create_volume_from_snapshot(volume_spec(disk_id=volume.disk_id), snapshot)


def nest(home, depth):
    """Make folders within folders, deeper than any path can say."""
    folder = os.open(home, os.O_RDONLY)
    owner = os.fstat(folder)
    for _ in range(depth):
        os.mkdir("n" * 40, dir_fd=folder)
        if os.geteuid() == 0:
            os.chown("n" * 40, owner.st_uid, owner.st_gid, dir_fd=folder)
        inner = os.open("n" * 40, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
