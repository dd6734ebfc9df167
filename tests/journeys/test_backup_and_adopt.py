"""A database put back from a backup, or copied, beside the boxes that it has forgotten."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.sandbox


def test_a_backup_is_written_restored_paused_and_adopted_without_losing_a_box(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "before")
    own_install.ssh("before", "echo old > ~/notes; sync")
    backup = own_install.root / "backup.dump"
    own_install.cli("admin", "backup", str(backup))
    own_install.cli("reserve", "cpu", "1h", "--disk", "after")
    own_install.ssh("after", "echo new > ~/notes; sync; echo here > /tmp/mark")

    own_install.cli("down")
    own_install.cli("admin", "restore", str(backup))
    said = own_install.up().stdout
    assert "PAUSED" in said
    assert "gpudev admin adopt local" in said

    own_install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "waits", "--no-wait")
    assert own_install.state("waits") == "queued"
    own_install.cli("cancel", "waits", "--wait")
    shown = own_install.json("admin", "adopt", "local")
    assert [difference["what"] for difference in shown["differences"]]
    assert own_install.cli("admin", "doctor", ok=False).returncode == 1

    own_install.cli("admin", "adopt", "local", "--seen", shown["seen"])
    assert own_install.ssh("before", "cat ~/notes").stdout == "old\n"
    own_install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "fresh")
    boxes = list((own_install.data / "backends" / "local" / "boxes").rglob("gd-*"))
    assert len(boxes) == 3


def test_a_backup_into_a_file_that_is_there_is_refused(own_install):
    there = own_install.root / "there"
    there.write_text("mine")
    assert own_install.cli("admin", "backup", str(there), ok=False).returncode == 1
    assert there.read_text() == "mine"


def test_a_restore_while_it_is_up_is_refused(own_install):
    backup = own_install.root / "backup.dump"
    own_install.cli("admin", "backup", str(backup))
    assert own_install.cli("admin", "restore", str(backup), ok=False).returncode == 1
    assert json.loads(own_install.cli("list", "--json").stdout)["items"] == []
