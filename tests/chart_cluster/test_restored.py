"""The database is put back by the commands of the page, while a box lives that it knows and a newer one that it does not."""

from __future__ import annotations

import re

import pytest

from tests.chart_cluster.typed import block, page, typed
from tests.fix_install import until

PAGE = "backup.md"


@pytest.fixture(scope="module")
def restored(release, kim):
    """An install that was put back to before its newer box was asked for, and is paused."""
    kim.back()
    kim.cli("reserve", "h100:1", "2h", "--disk", "both")
    kim.back("both")
    kim.ssh("both", "echo kept > ~/notes; sync")
    typed(release, block(PAGE, "pg_dump --format=custom --no-owner --no-privileges --username"))
    kim.cli("reserve", "h100:1", "2h", "--no-disk", "--name", "newer")
    typed(release, block(PAGE, "kubectl scale deployment"))
    until(lambda: not [pod for part in ("api", "processor", "gateway") for pod in release.pods(part)], within=60)
    typed(release, block(PAGE, "RENAME TO"))
    typed(release, block(PAGE, "migration.restored"))
    release.until_ready()


def _refused(kim):
    """Return what the server itself says to somebody who was signed in."""
    return until(lambda: "answers at" not in (done := kim.cli("list", ok=False)).stderr and done, within=60)


@pytest.fixture(scope="module")
def adopted(release, kim, restored):
    """What the doctor and the adoption say before somebody agrees, and who was signed in before; then it is agreed."""
    doctor, adopt = block(PAGE, "gpudev-services adopt").splitlines()
    before = typed(release, doctor, ok=False), typed(release, adopt, ok=False), _refused(kim)
    typed(release, f"{adopt} --seen {re.search('--seen ([^ ]+)', before[1]).group(1).strip()}")
    (login,) = release.told("gpudev login")
    until(lambda: "Signed in" in kim.shell(f"{login} --key ~/.ssh/id_ed25519", ok=False), within=60)
    return before


def test_nothing_is_done_until_somebody_has_looked(adopted):
    doctor, listed, signed_in = adopted

    assert "paused" in doctor
    assert "never heard of it" in listed
    assert signed_in.returncode != 0


def test_the_box_that_is_in_both_goes_on_with_its_disk(kim, adopted):
    until(lambda: kim.state("both") == "active", within=60)
    kim.back("both")

    assert kim.ssh("both", "cat ~/notes").stdout == "kept\n"


def test_the_newer_box_goes_on_though_nobody_knows_whose_it_is(ground, release, kim, adopted):
    assert kim.cli("show", "newer", ok=False).returncode != 0
    assert len(ground.get("pods", f"--namespace={release.boxes}")) == 2


def test_it_is_removed_as_the_page_says_and_all_is_well(ground, release, kim, adopted):
    kim.cli("cancel", "both", "--wait")
    (newer,) = until(lambda: len(found := ground.get("pods", f"--namespace={release.boxes}")) == 1 and found, within=60)
    for command in re.findall(r"`(kubectl [^`]*NAME[^`]*)`", page(PAGE)):
        typed(release, command.replace("NAME", newer["metadata"]["name"]))

    until(lambda: [each["free"] for each in kim.json("avail")["rows"] if each["gpu_type"] == "h100"] == [8], within=60)
