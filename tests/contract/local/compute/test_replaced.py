"""A box lives on when what it was started from is replaced or removed: everything was loaded at its start."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import subprocess

import pytest

from gpudev_sdk.local import interpreter

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("ssh_program")]


@pytest.fixture
def box(machine, tmp_path, monkeypatch):
    """A box that was started from a copy of the packages, which is gone when the test begins."""
    copy = tmp_path / "install" / "site-packages"
    copy.mkdir(parents=True)
    place_of = interpreter._place_of
    for name in interpreter._PACKAGES + interpreter._PERHAPS:
        place = place_of(name)
        if place is not None:
            shutil.copytree(place, copy / place.name) if place.is_dir() else shutil.copy(place, copy)
    with monkeypatch.context() as patch:
        patch.setattr(
            interpreter, "_place_of", lambda name: copy / pathlib.Path(place_of(name)).name if place_of(name) else None
        )
        interpreter.find_interpreter.cache_clear()
        started = machine.start().server_id
        assert copy in interpreter.find_interpreter().search
    interpreter.find_interpreter.cache_clear()
    shutil.rmtree(copy)
    return started


def test_sessions_of_every_kind_still_work(machine, box, tmp_path):
    (tmp_path / "file").write_text("content")
    options = machine.options(box)

    assert machine.run(box, "echo command") == "command\n"
    assert "/dev/pts/" in machine.ssh(box, "tty", options=["-tt"]).stdout
    assert machine.ssh(box, "false").returncode == 1
    for protocol in ("-s", "-O"):
        done = subprocess.run(["scp", "-q", protocol, *options, str(tmp_path / "file"), "box:f"], capture_output=True)
        assert done.returncode == 0, done
    listed = subprocess.run(["sftp", "-q", *options, "-b", "-", "box"], input=b"ls -l\n", capture_output=True)
    assert b"f" in listed.stdout


def test_it_still_takes_new_files_and_ends_cleanly(machine, box):
    machine.compute.configure(box, machine.files(notice=b"soon\n"))

    assert machine.run(box, "cat /run/gpudev/notice") == "soon\n"
    assert machine.ssh(box, "true", options=["-W", "no-such-host.invalid:22"]).returncode != 0
    assert machine.run(box, "echo on") == "on\n"
    machine.stop(box)


def test_only_our_own_folder_of_a_checkout_is_seen():
    place = pathlib.Path(next(iter(importlib.util.find_spec("gpudev_sdk").submodule_search_locations)))

    bound = interpreter._bound(place)

    assert bound == place or bound.name in ("site-packages", "dist-packages")
    assert os.path.isdir(bound)
