"""The folder of disks: an unmounted, emptied or foreign one is found out, and nothing is made in its place."""

from __future__ import annotations

import os
import pathlib
import shutil
import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.errors import TryLater, Unworkable
from tests.contract.local.storage.places import Place, snapshot_spec, take, volume_spec


@pytest.fixture
def apart(tmp_path):
    """Return a place whose disks lie outside the data folder, as on another filesystem."""
    data, disks = tmp_path / "data", tmp_path / "mnt" / "disks"
    data.mkdir()
    disks.parent.mkdir()
    place = Place(data)
    place.settings = attrs.evolve(place.settings, disks=str(disks))
    return place


@pytest.fixture(params=["the same process", "a new process"])
def unmounted(request, apart):
    """Return a storage whose folder of disks is an empty mount point now, and a volume and a snapshot it had."""
    storage = apart.storage()
    volume, home = apart.volume(storage)
    (home / "f").write_text("precious")
    snapshot = take(storage, volume)
    apart.disks.rename(apart.disks.with_name("elsewhere"))
    apart.disks.mkdir()
    return (storage if request.param == "the same process" else apart.storage()), volume, snapshot


def test_the_first_use_makes_the_folder_private(apart):
    apart.storage().create_volume(volume_spec())

    assert apart.disks.stat().st_mode & 0o777 == 0o700


def test_an_operators_own_folder_keeps_its_mode(apart):
    apart.disks.mkdir(mode=0o755)

    apart.storage().create_volume(volume_spec())

    assert apart.disks.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in apart.disks.iterdir() if path.is_dir()} == {0o700}


def test_a_box_cannot_pass_the_folders_above_its_home(apart):
    _, home = apart.volume(apart.storage())

    assert home.parent.stat().st_mode & 0o077 == 0
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives homes to others")
def test_as_root_a_home_belongs_to_the_persons_own_host_uid(place):
    storage = place.storage(uid_first=3_000_000)
    spec = volume_spec(owner_number=7)

    storage.create_volume(spec)

    home = place.disks / "volumes" / str(spec.volume_id) / "home"
    assert (home.stat().st_uid, home.stat().st_gid, home.parent.stat().st_uid) == (3_000_007, 3_000_007, 0)


def test_in_an_unmounted_folder_no_volume_is_made(unmounted, apart):
    storage, _, _ = unmounted

    with pytest.raises(TryLater, match="is it mounted"):
        storage.create_volume(volume_spec())

    assert list(apart.disks.iterdir()) == []


def test_in_an_unmounted_folder_no_snapshot_is_taken(unmounted, apart):
    storage, volume, _ = unmounted

    with pytest.raises(TryLater, match="is it mounted"):
        storage.create_snapshot(snapshot_spec(volume))

    assert list(apart.disks.iterdir()) == []


def test_in_an_unmounted_folder_nothing_is_restored(unmounted, apart):
    storage, volume, snapshot = unmounted

    with pytest.raises(TryLater, match="is it mounted"):
        storage.create_volume_from_snapshot(volume_spec(disk_id=volume.disk_id), snapshot)

    assert list(apart.disks.iterdir()) == []


def test_in_an_unmounted_folder_nothing_can_be_mounted(unmounted):
    storage, volume, _ = unmounted

    with pytest.raises(TryLater, match="is it mounted"):
        storage.mount(volume)


def test_of_an_unmounted_folder_everything_is_unknown(unmounted):
    storage, volume, snapshot = unmounted

    assert storage.get_volume(volume).presence == "unknown"
    assert storage.get_snapshot(snapshot).presence == "unknown"
    with pytest.raises(TryLater):
        storage.list_volumes()
    with pytest.raises(TryLater):
        storage.list_snapshots()


def test_in_an_unmounted_folder_nothing_counts_as_deleted(unmounted):
    storage, volume, snapshot = unmounted

    with pytest.raises(TryLater):
        storage.delete_volume(volume)
    with pytest.raises(TryLater):
        storage.delete_snapshot(snapshot)


def test_when_it_is_mounted_again_everything_is_there(unmounted, apart):
    storage, volume, snapshot = unmounted
    apart.disks.rmdir()
    apart.disks.with_name("elsewhere").rename(apart.disks)

    assert storage.get_volume(volume).ready
    assert storage.get_snapshot(snapshot).presence == "present"
    assert pathlib.Path(storage.mount(volume).source, "home", "f").read_text() == "precious"


def test_a_folder_of_another_install_is_refused(apart):
    apart.storage().create_volume(volume_spec())
    stranger = Place(apart.folder.with_name("other"), install_id=uuid.uuid4(), settings=apart.settings)
    stranger.folder.mkdir()

    with pytest.raises(Unworkable, match="another install"):
        stranger.storage().create_volume(volume_spec())


def test_a_folder_with_something_else_in_it_is_refused_and_untouched(apart):
    apart.disks.mkdir()
    (apart.disks / "theirs").write_text("x")

    with pytest.raises(Unworkable, match="not empty"):
        apart.storage().create_volume(volume_spec())

    assert [path.name for path in apart.disks.iterdir()] == ["theirs"]


def test_a_crash_between_the_two_marks_is_made_good(apart):
    apart.storage().create_volume(volume_spec())
    (apart.folder / "disks-made.json").unlink()

    apart.storage().create_volume(volume_spec())

    assert (apart.folder / "disks-made.json").exists()


def test_a_folder_whose_parent_is_missing_is_not_made(apart):
    apart.disks.parent.rmdir()

    with pytest.raises(TryLater, match="parent"):
        apart.storage().create_volume(volume_spec())

    assert not apart.disks.parent.exists()


def test_a_volume_whose_marker_is_gone_is_unknown_and_not_mounted_nor_removed(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home.parent / "marker.json").unlink()

    assert storage.get_volume(volume).presence == "unknown"
    with pytest.raises(Unworkable, match="no marker"):
        storage.mount(volume)
    with pytest.raises(Unworkable, match="no marker"):
        storage.create_snapshot(snapshot_spec(volume))
    with pytest.raises(Unworkable, match="no marker"):
        storage.delete_volume(volume)
    assert home.exists()


def test_a_volume_whose_content_is_gone_is_not_mounted(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    shutil.rmtree(home)

    with pytest.raises(Unworkable, match="lost its content"):
        storage.mount(volume)


def test_a_volume_of_an_emptied_folder_is_not_made_anew(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    shutil.rmtree(home.parent)

    with pytest.raises(Unworkable):
        storage.mount(volume)

    assert storage.get_volume(volume).presence == "absent"


def test_a_damaged_marker_is_unknown(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home.parent / "marker.json").write_text("{")

    assert storage.get_volume(volume).presence == "unknown"


def test_where_nothing_was_ever_made_nothing_is_there(place):
    storage = place.storage()
    volume = VolumeRef(volume_id=uuid.uuid4(), disk_id=uuid.uuid4())

    assert storage.get_volume(volume).presence == "absent"
    assert (storage.list_volumes(), storage.list_snapshots()) == ((), ())
    assert not place.disks.exists()


def test_a_data_folder_that_vanishes_under_a_running_server_is_no_new_one(place):
    storage = place.storage()
    volume, _ = place.volume(storage)
    place.folder.rename(place.folder.with_name("elsewhere"))
    place.folder.mkdir()

    assert storage.get_volume(volume).presence == "unknown"
    with pytest.raises(TryLater):
        storage.create_volume(volume_spec())
