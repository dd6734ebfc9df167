"""The script of the short pods: what is under a final name is whole, and what is not ours stays."""

from __future__ import annotations

import importlib.resources
import os
import pathlib
import shutil
import subprocess

import pytest

from tests.unit.kind.node import Node

SCRIPT = (importlib.resources.files("gpudev_kind") / "folder.sh").read_text(encoding="utf-8")


@pytest.fixture
def node(tmp_path):
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node" / "disks")


@pytest.fixture
def run(node):
    def run(do, target, marker="m", **more):
        given = {"DO": do, "TARGET": f"/disks/{target}", "MARKER": marker, "SOURCE": "", "SOURCE_MARKER": "",
                 "OWNER": "1:1", "FLOOR": "0", "SELF": "self"}  # fmt: skip
        return node.script(SCRIPT, given | more)

    return run


@pytest.fixture
def volume(run, node):
    """A volume with one of everything in it."""
    assert run("make", "volumes/v", "marker of v")[0] == 0
    home = node.home("v")
    (home / "deep").mkdir(mode=0o711)
    (home / "deep" / "file").write_text("precious")
    (home / "deep" / "same").hardlink_to(home / "deep" / "file")
    (home / "deep" / "file").chmod(0o640)
    os.utime(home / "deep" / "file", (10**9, 10**9))
    (home / "link").symlink_to("/etc/passwd")
    (home / "-rf").write_text("a name like an option")
    os.mkfifo(home / "pipe")
    return home


def copy(run, **more):
    return run(
        "make", "snapshots/s", "marker of s", **{"SOURCE": "/disks/volumes/v", "SOURCE_MARKER": "marker of v"} | more
    )


def test_a_copy_is_the_same(run, node, volume):
    code, said = copy(run)
    made = node.disks / "snapshots" / "s" / "home"

    assert (code, said.isdecimal()) == (0, True)
    assert sorted(path.relative_to(made) for path in made.rglob("*")) == sorted(
        path.relative_to(volume) for path in volume.rglob("*")
    )
    assert (made / "deep" / "file").read_text() == "precious"
    assert (made / "deep" / "file").stat().st_mtime == 10**9
    assert (made / "deep" / "file").stat().st_mode & 0o777 == 0o640
    assert (made / "deep" / "file").samefile(made / "deep" / "same")
    assert (made / "link").readlink() == pathlib.Path("/etc/passwd")
    assert (made / "pipe").is_fifo()


def test_it_is_not_made_twice(run, node, volume):
    assert run("make", "volumes/v", "marker of v")[0] == 0
    assert (volume / "deep" / "file").exists()
    copy(run)
    (volume / "deep" / "file").write_text("later")
    assert copy(run, SELF="another")[0] == 0

    assert (node.disks / "snapshots" / "s" / "home" / "deep" / "file").read_text() == "precious"


def test_what_a_killed_pod_left_is_put_away_and_not_taken_for_whole(run, node, volume):
    left = node.disks / "work" / "s.killed" / "home"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    assert copy(run)[0] == 0

    assert not (node.disks / "snapshots" / "s" / "home" / "half").exists()
    assert list((node.disks / "work").iterdir()) == []
    assert list((node.disks / "trash").iterdir()) == []


@pytest.mark.parametrize("marker", ["marker of w", "marker of", "marker of v\nmore"])
def test_a_source_that_is_something_else_is_not_copied(run, node, volume, marker):
    code, said = copy(run, SOURCE_MARKER=marker)

    assert code == 10
    assert "is not what it is taken for" in said
    assert not (node.disks / "snapshots" / "s").exists()
    assert list((node.disks / "work").iterdir()) == []


def test_a_source_that_is_not_there_gives_nothing(run, node):
    code, said = copy(run)

    assert (code, "is not there" in said) == (10, True)
    assert not (node.disks / "snapshots" / "s").exists()


def test_a_source_that_goes_while_it_is_copied_gives_nothing(run, node, volume):
    """The copy itself succeeds; its marker tells."""
    node.disks.parent.joinpath("busybox").write_text(
        '#!/bin/sh\n[ "$1" != chown ] || exit 0\n"$@" || exit\n[ "$1 $2" != "cp -a" ] || rm "$SOURCE/marker"\n'
    )
    code, said = copy(run)

    assert (code, "was removed while it was copied" in said) == (10, True)
    assert not (node.disks / "snapshots" / "s").exists()


def test_what_does_not_fit_is_said_in_numbers_and_leaves_nothing(run, node, volume):
    code, said = copy(run, FLOOR=str(2**62))
    if code == 0:
        pytest.skip("this file system shares blocks")

    assert (code, "does not fit" in said) == (10, True)
    assert list((node.disks / "work").iterdir()) == []
    assert run("make", "volumes/w", FLOOR=str(2**62))[0] == 10
    assert not node.home("w").exists()


def test_a_target_that_is_not_ours_is_neither_used_nor_removed(run, node):
    theirs = node.disks / "volumes" / "v"
    theirs.mkdir(parents=True)
    (theirs / "file").write_text("theirs")

    for do in ("make", "remove"):
        code, said = run(do, "volumes/v")
        assert (code, "not what gpudev made" in said) == (10, True)
    assert (theirs / "file").read_text() == "theirs"


def test_a_removal_removes_all_and_nothing_else(run, node, volume):
    copy(run)
    assert run("remove", "volumes/v", "marker of v")[0] == 0
    assert run("remove", "volumes/v", "marker of v")[0] == 0

    assert not volume.parent.exists()
    assert pathlib.Path("/etc/passwd").exists()
    assert (node.disks / "snapshots" / "s" / "home" / "deep" / "file").exists()
    assert list((node.disks / "trash").iterdir()) == []


def test_it_is_a_script_that_shells_take(tmp_path):
    path = tmp_path / "folder.sh"
    path.write_text(SCRIPT)

    for shell in ("sh", "dash", "bash", "busybox"):
        if shutil.which(shell) is not None:
            words = ["busybox", "sh"] if shell == "busybox" else [shell]
            assert subprocess.run([*words, "-n", path], check=False).returncode == 0
