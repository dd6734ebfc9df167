"""The trial tells walls that hold from walls that do not."""

from __future__ import annotations

import stat
import time

import pytest

from gpudev_sdk.local import sandbox, trial
from gpudev_sdk.local.isolation import NONE, SANDBOX
from gpudev_sdk.local.settings import LocalSettings

pytestmark = pytest.mark.sandbox

SETTINGS = LocalSettings()


@pytest.fixture
def data_folder(tmp_path):
    return tmp_path


def weaken(monkeypatch, change):
    """Make the sandbox's arguments others than they should be."""
    arguments = sandbox.arguments
    monkeypatch.setattr(sandbox, "arguments", lambda walls: change(arguments(walls)))


def without(words, *unwanted):
    return [word for word in words if word not in unwanted]


def at_the_end(words, *added):
    place = words.index("/home/dev") + 1
    return [*words[:place], *added, *words[place:]]


def as_root_inside(monkeypatch):
    """Let the attacker stay uid 0, as if nothing had been given up."""
    prey = trial._prey
    monkeypatch.setattr(trial, "_prey", lambda *given: prey(*given) | {"uid": 0})


def test_walls_as_they_are_hold(data_folder):
    assert trial.try_out(SETTINGS, data_folder).kind == SANDBOX


def test_it_takes_little_time_and_leaves_nothing(data_folder):
    began = time.monotonic()
    trial.try_out(SETTINGS, data_folder)

    assert time.monotonic() - began < 1.5
    assert list(data_folder.iterdir()) == []


def test_a_shared_process_namespace_is_found_out(data_folder, monkeypatch):
    weaken(monkeypatch, lambda words: without(words, "--unshare-pid", "--as-pid-1"))

    found = trial.try_out(SETTINGS, data_folder)

    assert found.kind == NONE
    assert "sees processes of others" in found.reason
    assert "shares a process namespace" in found.reason


def test_staying_root_is_found_out(data_folder, monkeypatch, as_root):
    as_root_inside(monkeypatch)

    assert "becomes root" in trial.try_out(SETTINGS, data_folder).reason


def test_a_root_that_is_left_open_is_found_out(data_folder, monkeypatch, as_root):
    as_root_inside(monkeypatch)
    weaken(monkeypatch, lambda words: [*words[: words.index("/home/dev") + 1], *words[words.index("--chdir") :]])

    assert "writes /etc" in trial.try_out(SETTINGS, data_folder).reason


def test_a_visible_data_folder_is_found_out(data_folder, monkeypatch, as_root):
    as_root_inside(monkeypatch)
    weaken(monkeypatch, lambda words: at_the_end(words, "--ro-bind", str(data_folder), str(data_folder)))

    reason = trial.try_out(SETTINGS, data_folder).reason

    for attack in ("reads a file of gpudev's own", "lists gpudev's data folder", "reaches a socket"):
        assert attack in reason


def test_a_home_that_cannot_be_written_is_found_out(data_folder, monkeypatch):
    weaken(monkeypatch, lambda words: ["--ro-bind" if word == "--bind" else word for word in words])

    assert "cannot write its own home" in trial.try_out(SETTINGS, data_folder).reason


def test_a_bubblewrap_that_does_not_work_is_told_with_its_own_words(data_folder, monkeypatch, tmp_path_factory):
    broken = tmp_path_factory.mktemp("bin") / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sandbox, "find_bwrap", lambda: str(broken))

    found = trial.try_out(SETTINGS, data_folder)

    assert found.kind == NONE
    assert "setting up uid map: Permission denied" in found.reason
    assert found.hint


def test_paths_that_cannot_be_shared_are_the_reason(data_folder):
    found = trial.try_out(LocalSettings(paths=["/home"]), data_folder)

    assert found.kind == NONE
    assert "/home cannot be shared" in found.reason
