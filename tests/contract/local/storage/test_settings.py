"""Settings of `local`: a wrong one says which and how it should look."""

from __future__ import annotations

import pathlib

import pytest

from gpudev_sdk.config import _provider_settings
from gpudev_sdk.errors import ConfigError
from gpudev_sdk.local.settings import LocalSettings, SharedPath


def test_the_defaults_are_those_of_the_design():
    settings = LocalSettings()

    assert (settings.snapshot_limit_bytes, settings.free_floor_bytes) == (2_000_000_000, 1024**3)
    assert (settings.pretended, settings.shared_paths, settings.gpus) == ((), (), None)


def test_what_is_pretended_and_shared_is_read():
    settings = LocalSettings(pretend="h100:4, a100:2", paths=["/data", "/opt:ro"])

    assert settings.pretended == (("h100", 4), ("a100", 2))
    assert settings.shared_paths == (SharedPath(pathlib.Path("/data"), True), SharedPath(pathlib.Path("/opt"), False))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pretend", "h100"),
        ("pretend", "h100:0"),
        ("pretend", "h100:8,h100:2"),
        ("pretend", "cpu:2"),
        ("pretend", "H100:1"),
        ("pretend", "h100:1e3"),
        ("paths", ["data"]),
        ("paths", ["/"]),
        ("paths", ["/data:rw"]),
        ("paths", ["/data/../root"]),
        ("paths", ["/proc"]),
        ("paths", ["/run/user"]),
        ("gpus", [0, 0]),
        ("gpus", [-1]),
        ("cpu_slots", -1),
        ("free_floor_bytes", -1),
        ("snapshot_limit_bytes", -1),
        ("uid_first", 0),
        ("disks", "relative"),
        ("disks", "/a/../b"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=field):
        _provider_settings(LocalSettings, {"local": {field: value}}, "local", "backends.local")
