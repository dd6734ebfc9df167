"""The configuration's file, where it is not ours to change."""

from __future__ import annotations

import argparse
import os

import pytest

from gpudev_sdk.errors import ConfigError
from gpudev_services.backends import command, file
from gpudev_services.up.folder import DataFolder


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Return a data folder whose configuration is a link into a folder that cannot be written, as in a pod."""
    mount = tmp_path / "etc"
    mount.mkdir()
    (mount / "config.toml").write_text('name = "lab"\n')
    usual = os.access
    # Whoever is root may write anywhere but in a mount that is for reading.
    monkeypatch.setattr(os, "access", lambda path, mode: path != mount and usual(path, mode))
    folder = DataFolder(tmp_path / "data")
    folder.root.mkdir()
    folder.config.symlink_to(mount / "config.toml")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        {"action": "add", "provider": "local", "name": "", "storage": "", "given": [], "yes": True},
        {"action": "remove", "name": "local", "take_down": False, "yes": True},
    ],
    ids=["add", "remove"],
)
def test_a_configuration_that_is_mounted_is_left_alone_and_the_next_step_is_said(mounted, words):
    with pytest.raises(ConfigError, match="cannot be changed here") as caught:
        command.run(argparse.Namespace(config=None, **words), mounted)

    assert "helm upgrade" in caught.value.hint
    assert mounted.config.is_symlink()
    assert mounted.config.read_text() == 'name = "lab"\n'


def test_one_that_is_not_there_yet_is_ours_to_make(tmp_path):
    file.check_ours(tmp_path / "config.toml")
