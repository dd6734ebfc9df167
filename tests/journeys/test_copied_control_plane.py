"""A copy of the database beside the first: the second control plane looks and touches nothing, and the first goes on."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from tests.fix_install import Install, until
from tests.journeys.watching import boxes_of, claim_of, stored

pytestmark = pytest.mark.sandbox


@pytest.fixture
def beside(own_install):
    """The folders of a second control plane over the first one's machine; what it takes over is copied by the test."""
    second = Install(pathlib.Path(f"{own_install.root}-b"))
    second.data.mkdir(mode=0o700, parents=True)
    (second.data / "backends").mkdir(mode=0o700)
    (second.data / "backends" / "local").symlink_to(own_install.data / "backends" / "local")
    shutil.copy(own_install.data / "config.toml", second.data)
    yield second
    second.cli("down", "--force", ok=False)
    shutil.rmtree(second.root)


def copy(first, second, *parts):
    for part in parts:
        subprocess.run(["cp", "-a", first.data / part, second.data], check=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (["postgres", "ssh"], "another control plane of this install controls it"),
        (["postgres", "ssh", "control-plane.json"], "older than what it controls"),
    ],
    ids=["with-an-id-of-its-own", "with-the-id-of-the-first"],
)
def test_the_second_starts_paused_and_the_first_goes_on(own_install, beside, parts, why):
    first, second = own_install, beside
    first.cli("reserve", "cpu", "1h", "--disk", "work")
    first.ssh("work", "echo one > ~/marker; sync")
    first.cli("down")
    copy(first, second, *parts)
    first.up()
    boxes, claim, disks = boxes_of(first), claim_of(first), stored(first)
    assert boxes
    assert disks

    assert "PAUSED" in second.up().stdout
    assert why in second.json("admin", "adopt", "local")["paused"]
    second.cli("cancel", "work", "--yes")
    second.cli("reserve", "cpu", "1h", "--no-disk", "--name", "mine", "--no-wait")
    until(lambda: second.sql("SELECT planned >= wanted FROM planner") == [(True,)])
    until(lambda: why in second.json("show", "work")["detail"])
    assert second.state("mine") == "queued"
    assert second.cli("admin", "doctor", ok=False).returncode == 1
    assert (boxes_of(first), claim_of(first), stored(first)) == (boxes, claim, disks)

    goes_on_as_itself(first)
    first.kill()
    assert "PAUSED" not in first.up().stdout
    goes_on_as_itself(first)
    assert boxes <= boxes_of(first)
    assert first.cli("admin", "doctor").returncode == 0


def goes_on_as_itself(first):
    """It says what it said, its box is open, and it can start and end another."""
    assert first.json("admin", "adopt", "local")["paused"] is None
    assert first.ssh("work", "cat ~/marker").stdout == "one\n"
    first.cli("reserve", "cpu", "1h", "--no-disk", "--name", "more")
    first.cli("cancel", "more", "--wait")
    assert first.state("work") == "active"


def test_a_copy_of_the_whole_folder_cannot_reach_the_boxes_of_the_first(own_install):
    own_install.cli("reserve", "cpu", "1h", "--disk", "work")
    own_install.ssh("work", "echo one > ~/marker; sync")
    own_install.cli("down")
    second = Install(pathlib.Path(f"{own_install.root}-b"))
    second.root.mkdir()
    subprocess.run(["cp", "-a", own_install.data, second.data], check=True, stdin=subprocess.DEVNULL)
    own_install.up()
    boxes = boxes_of(own_install)
    assert boxes
    try:
        refused = second.cli("up", "--detach", ok=False)
        assert refused.returncode == 1
        assert "is a copy" in " ".join((refused.stdout + refused.stderr).split())
        assert boxes_of(own_install) == boxes
        assert own_install.ssh("work", "cat ~/marker").stdout == "one\n"
    finally:
        second.cli("down", "--force", ok=False)
        shutil.rmtree(second.root)
