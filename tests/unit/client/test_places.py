"""Where things lie, and whose socket is trusted."""

from __future__ import annotations

import pathlib
import socket

import pytest

from gpudev_sdk.client import places as subject
from gpudev_sdk.client.places import find_places, find_socket, get_socket
from gpudev_sdk.errors import NotAllowed, ServerUnreachable


def test_without_settings_things_lie_where_the_xdg_says():
    found = find_places({"HOME": "/h"})

    assert (str(found.data), str(found.config)) == ("/h/.local/share/gpudev", "/h/.config/gpudev")
    assert not found.data_named


def test_relative_xdg_folders_are_ignored():
    assert str(find_places({"HOME": "/h", "XDG_DATA_HOME": "here"}).data) == "/h/.local/share/gpudev"


def test_our_own_variables_win():
    env = {"HOME": "/h", "XDG_DATA_HOME": "/x", "GPUDEV_DATA": "/d", "GPUDEV_CONFIG": "/c", "GPUDEV_SERVER": "lab"}
    found = find_places(env)

    assert (str(found.data), str(found.config), found.server, found.data_named) == ("/d", "/c", "lab", True)


def _listen(path: pathlib.Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


def test_a_socket_in_a_folder_of_ours_is_used(room):
    with _listen(room / "run" / "api.sock"):
        assert get_socket(room) == room / "run" / "api.sock"


def test_no_socket_is_no_server(room):
    with pytest.raises(ServerUnreachable, match="no gpudev server runs"):
        get_socket(room)


def test_a_plain_file_is_no_server(room):
    (room / "run").mkdir(mode=0o700)
    (room / "run" / "api.sock").write_text("")

    assert find_socket(room) is None


def test_a_socket_that_others_could_have_put_there_is_refused(room):
    with _listen(room / "run" / "api.sock"):
        (room / "run").chmod(0o755)
        with pytest.raises(NotAllowed, match="not yours alone"):
            find_socket(room)


def test_a_folder_of_another_user_is_refused(room, monkeypatch):
    with _listen(room / "run" / "api.sock"):
        monkeypatch.setattr(subject.os, "geteuid", lambda: 4711)
        with pytest.raises(NotAllowed):
            find_socket(room)


def test_a_path_too_long_for_a_socket_is_followed(room):
    data = room / ("d" * 100)
    (data / "run").mkdir(parents=True)
    (data / "run").chmod(0o700)
    with _listen(room / "short" / "s"):
        (data / "run" / "api.path").write_text(f"{room}/short/s\n")

        assert find_socket(data) == room / "short" / "s"


def test_a_followed_path_must_be_ours_as_well(room):
    data = room / ("d" * 100)
    (data / "run").mkdir(parents=True)
    (data / "run").chmod(0o700)
    with _listen(room / "open" / "s"):
        (room / "open").chmod(0o777)
        (data / "run" / "api.path").write_text(f"{room}/open/s")
        with pytest.raises(NotAllowed):
            find_socket(data)
