"""Backends of a server that runs: one with boxes or disks stays, another comes with the next start and goes again."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.sandbox


def test_a_backend_stays_while_anything_is_there_and_another_comes_and_goes(own_install):
    config = own_install.data / "config.toml"
    before = config.read_text()
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")

    done = own_install.cli("backend", "remove", "local", "--yes", ok=False)
    assert done.returncode == 1
    assert "local has 1 reservation and 1 disk " in done.stderr
    own_install.cli("cancel", "work", "--wait")
    assert "local has 1 disk " in own_install.cli("backend", "remove", "local", "--yes", ok=False).stderr

    own_install.cli("backend", "add", "local", "--name", "second", "--set", "pretend=a100:2", "--yes")
    assert {each["name"]: each["up"] for each in own_install.json("backend", "list")["items"]} == {
        "local": True,
        "second": False,
    }
    own_install.cli("down")
    own_install.up()
    assert {row["backend"] for row in own_install.json("avail")["rows"]} == {"local", "second"}
    own_install.cli("backend", "remove", "second", "--yes")
    assert config.read_text() == before
