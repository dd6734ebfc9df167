"""What a copy keeps: everything a person can make, as it was, without following or opening what must not be."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import stat

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.errors import Unworkable
from tests.contract.local.storage.places import own, take, volume_spec, wait


@pytest.fixture
def copy_of(place):
    """Return a function that snapshots a disk with what `fill` puts there, restores it, and returns the new home."""

    def copied(fill) -> pathlib.Path:
        storage = place.storage()
        volume, home = place.volume(storage)
        fill(home)
        own(home)
        snapshot = take(storage, volume)
        spec = volume_spec(disk_id=volume.disk_id)
        storage.create_volume_from_snapshot(spec, snapshot)
        restored = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)
        wait(lambda: storage.get_volume(restored).ready)
        return pathlib.Path(storage.mount(restored).source) / "home"

    return copied


def test_bytes_modes_and_times_are_kept(copy_of):
    def fill(home):
        (home / "run.sh").write_text("#!/bin/sh\n")
        (home / "run.sh").chmod(0o751)
        os.utime(home / "run.sh", ns=(10**18, 10**18 + 7))
        (home / "dir").mkdir(mode=0o705)
        os.utime(home / "dir", ns=(10**18, 10**18 + 9))

    home = copy_of(fill)

    run, folder = (home / "run.sh").stat(), (home / "dir").stat()
    assert (home / "run.sh").read_text() == "#!/bin/sh\n"
    assert (stat.S_IMODE(run.st_mode), run.st_mtime_ns) == (0o751, 10**18 + 7)
    assert (stat.S_IMODE(folder.st_mode), folder.st_mtime_ns) == (0o705, 10**18 + 9)


def test_a_snapshot_says_how_large_its_content_is(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "f").write_bytes(os.urandom(100_000))
    own(home)
    os.sync()

    assert storage.get_snapshot(take(storage, volume)).size_bytes == 100_000


def test_everything_belongs_to_the_homes_owner(copy_of):
    def fill(home):
        (home / "a" / "b").mkdir(parents=True)
        (home / "a" / "f").write_text("x")

    home = copy_of(fill)

    assert {path.lstat().st_uid for path in home.rglob("*")} == {home.stat().st_uid}


def test_user_attributes_are_kept(copy_of):
    def fill(home):
        (home / "f").write_text("x")
        os.setxattr(home / "f", "user.origin", b"paper")

    home = copy_of(fill)

    assert os.getxattr(home / "f", "user.origin") == b"paper"


def test_names_that_are_no_text_are_kept(copy_of):
    home = copy_of(lambda home: pathlib.Path(os.fsdecode(os.fsencode(home) + b"/\xff\xfe\n")).write_text("x"))

    assert os.listdir(os.fsencode(home)) == [b"\xff\xfe\n"]


def test_a_symlink_is_copied_and_not_followed(copy_of, tmp_path):
    (tmp_path / "secret").write_text("the operator's")

    def fill(home):
        (home / "link").symlink_to(tmp_path / "secret")
        (home / "folder").symlink_to(tmp_path)

    home = copy_of(fill)

    assert os.readlink(home / "link") == str(tmp_path / "secret")
    assert (home / "folder").is_symlink()


def test_hard_links_stay_one_file(copy_of):
    def fill(home):
        (home / "a").mkdir()
        (home / "a" / "one").write_text("x")
        (home / "two").hardlink_to(home / "a" / "one")
        (home / "a").chmod(0o500)

    home = copy_of(fill)

    assert (home / "a" / "one").stat().st_ino == (home / "two").stat().st_ino
    assert (home / "two").stat().st_nlink == 2


def test_holes_stay_holes(copy_of):
    def fill(home):
        with (home / "sparse").open("wb") as file:
            file.truncate(2**33)
            file.seek(2**32)
            file.write(b"middle")

    home = copy_of(fill)

    sparse = (home / "sparse").stat()
    with (home / "sparse").open("rb") as file:
        file.seek(2**32)
        assert file.read(6) == b"middle"
    assert sparse.st_size == 2**33
    assert sparse.st_blocks * 512 < 2**20


def test_a_fifo_is_made_anew_and_stops_nothing(copy_of):
    home = copy_of(lambda home: os.mkfifo(home / "fifo", 0o640))

    assert stat.S_ISFIFO((home / "fifo").stat().st_mode)
    assert stat.S_IMODE((home / "fifo").stat().st_mode) == 0o640


def test_sockets_are_left_out(copy_of):
    def fill(home):
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(home):
            server.bind("agent")

    assert list(copy_of(fill).iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_device_nodes_are_left_out(copy_of):
    assert list(copy_of(lambda home: os.mknod(home / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))).iterdir()) == []


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400, 0o200])
def test_a_closed_folder_keeps_its_content_and_its_mode(copy_of, mode):
    def fill(home):
        (home / "closed").mkdir()
        (home / "closed" / "f").write_text("kept")
        os.utime(home / "closed", ns=(10**18, 10**18))
        (home / "closed").chmod(mode)

    home = copy_of(fill)

    assert stat.S_IMODE((home / "closed").stat().st_mode) == mode
    assert (home / "closed").stat().st_mtime_ns == 10**18
    (home / "closed").chmod(0o700)
    assert (home / "closed" / "f").read_text() == "kept"


def test_a_closed_file_keeps_its_content_and_its_mode(copy_of):
    def fill(home):
        (home / "f").write_text("kept")
        (home / "f").chmod(0o000)

    home = copy_of(fill)

    assert stat.S_IMODE((home / "f").stat().st_mode) == 0o000
    (home / "f").chmod(0o600)
    assert (home / "f").read_text() == "kept"


def test_a_closed_home_is_copied_too(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "f").write_text("kept")
    own(home)
    home.chmod(0o000)

    snapshot = take(storage, volume)

    copy = place.disks / "snapshots" / str(snapshot.snapshot_id) / "home"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o000
    copy.chmod(0o700)
    assert (copy / "f").read_text() == "kept"


def test_what_is_copied_looks_as_before(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "closed").mkdir()
    (home / "unread").write_text("x")
    own(home)
    (home / "closed").chmod(0o000)
    (home / "unread").chmod(0o000)

    take(storage, volume)

    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o000}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has only their own files")
def test_a_file_the_owner_cannot_read_fails_the_snapshot_instead_of_being_left_out(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    (home / "operators").write_text("x")
    (home / "operators").chmod(0o600)

    with pytest.raises(AssertionError, match="Permission denied"):
        take(storage, volume)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user is one person")
def test_a_snapshot_is_not_restored_for_another_uid(place):
    storage = place.storage()
    volume, _ = place.volume(storage)
    snapshot = take(storage, volume)

    with pytest.raises(Unworkable, match="another host uid"):
        storage.create_volume_from_snapshot(volume_spec(disk_id=volume.disk_id, owner_number=2), snapshot)


def test_a_snapshot_of_another_disk_is_not_restored(place):
    storage = place.storage()
    volume, _ = place.volume(storage)
    snapshot = attrs.evolve(take(storage, volume), disk_id=volume_spec().disk_id)

    with pytest.raises(Unworkable, match="another's"):
        storage.create_volume_from_snapshot(volume_spec(disk_id=volume.disk_id), snapshot)
