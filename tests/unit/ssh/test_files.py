"""Files of the client, and the one line in the person's own."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import threading

import pytest

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.config import MAX_CONTROL_FOLDER
from gpudev_sdk.ssh.files import add_include, control_folder, has_include, include_line, remove_include, write
from gpudev_sdk.ssh.once import make_once

OTHERS = b"# mine\r\nHost *\r\n  User kim\n\xff\xfe\n\n  Include other"


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / ".ssh" / "config"


@pytest.fixture
def ours(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "gp dev" / "config"


def test_our_file_is_private_in_a_private_folder(ours: pathlib.Path) -> None:
    write(ours, "Host x\n")
    assert (ours.read_text(), mode(ours), mode(ours.parent)) == ("Host x\n", 0o600, 0o700)


def test_our_file_replaces_a_link_instead_of_following_it(tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / "config").symlink_to(elsewhere)
    write(tmp_path / "config", "Host x\n")
    assert elsewhere.read_text() == "precious"


def test_an_equal_file_is_left_alone(ours: pathlib.Path) -> None:
    write(ours, "Host x\n")
    before = ours.stat().st_ino
    write(ours, "Host x\n")
    assert ours.stat().st_ino == before


def test_nothing_is_left_over_when_writing_fails(tmp_path: pathlib.Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(ConfigError):
        write(tmp_path / "config", "Host x\n")
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_a_missing_configuration_is_made_private(config: pathlib.Path, ours: pathlib.Path) -> None:
    add_include(config, ours)
    assert config.read_text() == f'Include "{ours}"\n'
    assert (mode(config), mode(config.parent)) == (0o600, 0o700)


def test_everything_else_stays_byte_for_byte(config: pathlib.Path, ours: pathlib.Path) -> None:
    config.parent.mkdir()
    config.write_bytes(OTHERS)
    config.chmod(0o644)
    add_include(config, ours)
    assert config.read_bytes() == f'Include "{ours}"\n'.encode() + OTHERS
    assert mode(config) == 0o644
    remove_include(config, ours)
    assert config.read_bytes() == OTHERS


def test_asking_twice_changes_nothing(config: pathlib.Path, ours: pathlib.Path) -> None:
    add_include(config, ours)
    before = config.stat().st_ino
    add_include(config, ours)
    assert config.stat().st_ino == before


def test_our_line_further_down_does_not_count_and_is_moved(config: pathlib.Path, ours: pathlib.Path) -> None:
    config.parent.mkdir()
    config.write_text(f"Host other\n  {include_line(ours)}\n")
    assert not has_include(config, ours)
    add_include(config, ours)
    assert config.read_text() == f"{include_line(ours)}\nHost other\n"
    assert has_include(config, ours)


def test_a_linked_configuration_stays_linked(config: pathlib.Path, ours: pathlib.Path, tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "dotfiles" / "ssh_config"
    kept.parent.mkdir()
    kept.write_text("Host *\n")
    config.parent.mkdir()
    config.symlink_to(kept)
    add_include(config, ours)
    assert config.is_symlink()
    assert kept.read_text() == f"{include_line(ours)}\nHost *\n"


def test_what_is_no_file_is_refused(config: pathlib.Path, ours: pathlib.Path) -> None:
    config.parent.mkdir()
    os.mkfifo(config)
    with pytest.raises(ConfigError, match="not a file"):
        add_include(config, ours)


@pytest.mark.parametrize("path", ["/a\nb", '/a"b', "/a*b", "/a[b", "relative", "/${HOME}/a"])
def test_a_path_that_ssh_would_read_otherwise_is_refused(config: pathlib.Path, path: str) -> None:
    with pytest.raises(ConfigError):
        add_include(config, pathlib.Path(path))
    assert not config.exists()


def test_the_control_folder_is_private_and_short_enough(tmp_path: pathlib.Path) -> None:
    for ours in (tmp_path, tmp_path / ("long" * 20)):
        found = control_folder(ours)
        assert found is not None
        assert mode(found) == 0o700
        assert len(str(found)) <= MAX_CONTROL_FOLDER
    with contextlib.suppress(OSError):
        found.rmdir()


def test_a_control_folder_that_others_may_enter_is_not_used() -> None:
    ours = pathlib.Path(f"/tmp/gpudev-{os.getpid()}")
    (ours / "c").mkdir(parents=True)
    try:
        (ours / "c").chmod(0o770)
        assert control_folder(ours) is None
    finally:
        (ours / "c").rmdir()
        ours.rmdir()


def test_a_secret_made_by_many_at_once_is_one(tmp_path: pathlib.Path) -> None:
    start, found = threading.Barrier(8), []

    def make(number: int) -> None:
        start.wait()
        found.append(make_once(tmp_path / "keys" / "ca", lambda: b"%d" % number))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [(path.name, mode(path)) for path in (tmp_path / "keys").iterdir()] == [("ca", 0o600)]
