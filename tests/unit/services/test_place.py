"""Where a data folder may start: at its own place or a new one, and not as a copy of one that is still there."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from gpudev_sdk.errors import StoreError
from gpudev_services.up.folder import DataFolder
from gpudev_services.up.place import PLACE, process_below, refuse_copied, refuse_emptied


@pytest.fixture
def first(tmp_path):
    """A folder that was started once."""
    folder = DataFolder(tmp_path / "first")
    folder.prepare()
    folder.control_plane_id()
    refuse_copied(folder)
    return folder


@pytest.fixture
def box():
    """Start a process that works for a box of a folder."""
    started = []

    def start(folder):
        wait = "import sys; print(flush=True); sys.stdin.read()"
        command = [sys.executable, "-c", wait, f"{folder.root}/backends/local/boxes/one"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return str(started[-1].pid)

    yield start
    for process in started:
        process.communicate()


def noted(folder):
    return json.loads((folder.root / PLACE).read_bytes())["path"]


def test_a_folder_starts_again_where_it_is(first):
    refuse_copied(first)
    assert noted(first) == str(first.root)


def test_a_copy_of_a_folder_that_is_there_does_not_start(first):
    copy = DataFolder(pathlib.Path(shutil.copytree(first.root, first.root.with_name("copy"))))
    before = (copy.root / PLACE).read_bytes()
    with pytest.raises(StoreError, match=f"copy is a copy of {first.root}"):
        refuse_copied(copy)
    assert (copy.root / PLACE).read_bytes() == before
    refuse_copied(first)


def test_a_folder_that_was_moved_is_at_home_where_it_is_now(first):
    moved = DataFolder(first.root.rename(first.root.with_name("moved")))
    refuse_copied(moved)
    copy = DataFolder(pathlib.Path(shutil.copytree(moved.root, first.root)))
    with pytest.raises(StoreError, match="is a copy of"):
        refuse_copied(copy)


def test_a_folder_under_another_name_is_no_copy(first, tmp_path):
    other = tmp_path / "other"
    other.symlink_to(first.root)
    refuse_copied(DataFolder(other))
    assert noted(first) == str(first.root)
    # As a folder that is mounted in two places knows itself by the other one.
    (first.root / PLACE).write_text(json.dumps({"path": str(other)}), encoding="utf-8")
    refuse_copied(first)
    assert noted(first) == str(first.root)


def test_a_folder_is_not_moved_under_its_boxes(first, box):
    pid = box(first)
    moved = DataFolder(first.root.rename(first.root.with_name("moved")))
    with pytest.raises(StoreError, match=f"boxes of that run .process {pid}"):
        refuse_copied(moved)


def test_what_cannot_be_looked_at_is_not_taken_for_gone(first, monkeypatch):
    copy = DataFolder(pathlib.Path(shutil.copytree(first.root, first.root.with_name("copy"))))

    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "samefile", lambda path, other: forbidden(path))
    with pytest.raises(StoreError, match="cannot be told whether that is still there: Permission denied"):
        refuse_copied(copy)


def test_a_note_that_cannot_be_read_is_no_answer(first):
    (first.root / PLACE).write_bytes(b"{}")
    with pytest.raises(StoreError, match="is damaged"):
        refuse_copied(first)


def test_a_folder_that_was_emptied_under_its_boxes_does_not_start(first, box):
    pid = box(first)
    assert process_below(first.root) == pid
    refuse_emptied(first)
    shutil.rmtree(first.root)
    with pytest.raises(StoreError, match="is empty, and boxes that belong to it run"):
        refuse_emptied(first)
