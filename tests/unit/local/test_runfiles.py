"""/run/gpudev in a box: exactly the files asked for."""

from __future__ import annotations

import os

import pytest

from gpudev_sdk.domain.server import digest_files
from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.local import runfiles


@pytest.fixture
def folder(tmp_path):
    runfiles.make_folder(tmp_path / "run", os.getegid())
    return tmp_path / "run"


def test_the_folder_holds_exactly_the_files(folder):
    runfiles.put_files(folder, {"a": b"1", "b": b"2"})
    runfiles.put_files(folder, {"b": b"3", "c": b""})

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"b": b"3", "c": b""}


def test_the_digest_is_that_of_the_files(folder):
    files = {"notice": b"x", "host_key": b"y"}
    runfiles.put_files(folder, files)

    assert runfiles.digest_of(folder) == digest_files(files)


def test_a_file_that_is_as_asked_is_left_alone(folder):
    runfiles.put_files(folder, {"a": b"1"})
    before = (folder / "a").stat().st_ino

    runfiles.put_files(folder, {"a": b"1", "b": b"2"})

    assert (folder / "a").stat().st_ino == before


def test_nobody_may_write_the_files_and_others_may_not_read_them(folder):
    runfiles.put_files(folder, {"host_key": b"secret"})

    assert (folder / "host_key").stat().st_mode & 0o227 == 0


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\nb", "ä", "x" * 101])
def test_a_name_that_is_no_plain_file_name_is_refused(folder, name):
    with pytest.raises(Unworkable):
        runfiles.put_files(folder, {name: b""})

    assert list(folder.iterdir()) == []


def test_a_link_is_replaced_and_its_target_left_whole(folder, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("whole")
    (folder / "notice").symlink_to(victim)

    runfiles.put_files(folder, {"notice": b"whole"})

    assert victim.read_text() == "whole"
    assert not (folder / "notice").is_symlink()


def test_a_folder_that_is_a_link_is_not_written_through(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)

    with pytest.raises(TryLater):
        runfiles.put_files(tmp_path / "link", {"a": b""})

    assert runfiles.digest_of(tmp_path / "link") is None


def test_what_cannot_be_read_has_no_digest(tmp_path):
    assert runfiles.digest_of(tmp_path / "none") is None
