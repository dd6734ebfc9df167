"""The walls as arguments."""

from __future__ import annotations

import pathlib

import attrs
import pytest

from gpudev_sdk.errors import Unworkable
from gpudev_sdk.local import sandbox
from gpudev_sdk.local.settings import parse_shared

WALLS = sandbox.Walls(
    as_root=True,
    name="work",
    home=pathlib.Path("/data/home"),
    tmp=pathlib.Path("/data/tmp"),
    run=pathlib.Path("/data/run"),
    etc=pathlib.Path("/data/etc"),
    needed=(pathlib.Path("/opt/py"), pathlib.Path("/usr/lib/python3")),
)


def pairs(words: list[str], how: str) -> dict[str, str]:
    return {words[i + 2]: words[i + 1] for i, word in enumerate(words) if word == how}


def test_the_home_lies_over_everything_else():
    words = sandbox.arguments(WALLS)

    assert pairs(words, "--bind") == {"/tmp": "/data/tmp", "/home/dev": "/data/home"}
    assert words[words.index("/home/dev") - 2 :][:3] == ["--bind", "/data/home", "/home/dev"]
    assert "--ro-bind" not in words[words.index("/data/home") :]


def test_every_folder_on_the_way_is_named_open():
    words = sandbox.arguments(attrs.evolve(WALLS, needed=(pathlib.Path("/root/pythons/versions/3"),)))

    made = [words[i + 1] for i, word in enumerate(words) if word == "--dir"]
    assert {"/root", "/root/pythons", "/root/pythons/versions", "/home", "/run", "/var", "/etc"} <= set(made)
    assert all(words[words.index(folder) - 3 : words.index(folder) - 1] == ["--perms", "0755"] for folder in made)


def test_what_lies_in_usr_is_not_shown_twice():
    assert "/usr/lib/python3" not in sandbox.arguments(WALLS)


def test_the_root_is_closed_last():
    assert sandbox.arguments(WALLS)[-5:] == ["--remount-ro", "/", "--chdir", "/", "--clearenv"]


def test_root_keeps_only_the_power_to_become_another():
    words = sandbox.arguments(WALLS)

    assert [words[i + 1] for i, word in enumerate(words) if word == "--cap-add"] == ["CAP_SETUID", "CAP_SETGID"]
    assert "--unshare-user" not in words


def test_under_root_kernel_settings_are_shown_read_only():
    words = sandbox.arguments(WALLS)

    assert pairs(words, "--ro-bind")["/proc/sys"] == "/proc/sys"
    assert words.index("--proc") < words.index("/proc/sys")


def test_an_ordinary_user_gets_a_namespace_and_no_capability():
    words = sandbox.arguments(attrs.evolve(WALLS, as_root=False))

    assert "--unshare-user" in words
    assert "--cap-add" not in words


def test_only_the_devices_named_are_shown():
    words = sandbox.arguments(
        attrs.evolve(WALLS, devices=(pathlib.Path("/dev/nvidia3"), pathlib.Path("/dev/nvidiactl")))
    )

    assert pairs(words, "--dev-bind") == {"/dev/nvidia3": "/dev/nvidia3", "/dev/nvidiactl": "/dev/nvidiactl"}


def test_what_is_shared_is_writable_only_if_said_so():
    words = sandbox.arguments(attrs.evolve(WALLS, shared=(parse_shared("/data"), parse_shared("/opt/x:ro"))))

    assert pairs(words, "--bind-try") == {"/data": "/data"}
    assert pairs(words, "--ro-bind-try")["/opt/x"] == "/opt/x"


@pytest.mark.parametrize("path", ["/home", "/home/dev", "/home/dev/x", "/tmp", "/usr", "/etc", "/var", "/var/tmp"])
def test_what_would_lie_over_the_boxs_own_cannot_be_shared(path):
    with pytest.raises(Unworkable, match="cannot be shared"):
        sandbox.arguments(attrs.evolve(WALLS, shared=(parse_shared(path),)))


def test_an_installation_below_the_boxs_home_is_refused():
    with pytest.raises(Unworkable, match="installed below"):
        sandbox.arguments(attrs.evolve(WALLS, needed=(pathlib.Path("/home/dev/.venv"),)))


def test_places_below_tmp_are_prepared():
    shared = (parse_shared("/tmp/share"),)

    assert sandbox.mount_points((pathlib.Path("/tmp/a/b"), pathlib.Path("/opt/c")), shared) == (
        (pathlib.Path("a/b"), pathlib.Path("/tmp/a/b")),
        (pathlib.Path("share"), pathlib.Path("/tmp/share")),
    )


def test_arguments_travel_with_zeros_between_them():
    assert sandbox.packed(WALLS).split(b"\0")[-2:] == [b"--clearenv", b""]
