"""The database is put back by the commands of the page, while a box lives that it knows and a newer one that it does not."""

from __future__ import annotations

import re

import pytest

from tests.chart_cluster.ground import ROOT
from tests.fix_install import until

PAGE = "docs/operate/backup.md"


def _block(words: str) -> list[str]:
    """Return the commands of the first block of the page in which these words stand."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    found = re.findall(r"^```sh[a-z ]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return next(block.strip().splitlines() for block in found if words in block)


@pytest.fixture(scope="module")
def shell(ground):
    """What types a command of the page where its files are."""

    def typed(line: str, ok: bool = True) -> str:
        done = ground.run("bash", "-c", f"cd {ground.scratch} && {line}", ok=ok)
        return done.stdout + done.stderr

    return typed


@pytest.fixture(scope="module")
def restored(release, kim, shell):
    """An install that was put back to before its newer box was asked for, and is paused."""
    kim.back()
    kim.cli("reserve", "h100:1", "2h", "--disk", "both")
    kim.back("both")
    kim.ssh("both", "echo kept > ~/notes; sync")
    shell(_block("pg_dump --format=custom --no-owner --no-privileges --username")[0])
    kim.cli("reserve", "h100:1", "2h", "--no-disk", "--name", "newer")
    for line in _block("kubectl scale deployment"):
        shell(line)
    until(lambda: not [pod for part in ("api", "processor", "gateway") for pod in release.pods(part)], within=60)
    for line in _block("RENAME TO"):
        shell(line)
    upgrade, *more = _block("migration.restored")
    release.documented(upgrade, "--wait")
    for line in more:
        shell(line)
    release.until_ready()
    return shell


def _refused(kim):
    """Return what the server itself says to somebody who was signed in."""
    return until(lambda: "answers at" not in (done := kim.cli("list", ok=False)).stderr and done, within=60)


@pytest.fixture(scope="module")
def adopted(release, kim, restored):
    """What the doctor and the adoption say before somebody agrees, and who was signed in before; then it is agreed."""
    doctor, adopt = _block("gpudev-services adopt")
    before = restored(doctor, ok=False), restored(adopt, ok=False), _refused(kim)
    restored(f"{adopt} --seen {re.search('--seen ([^ ]+)', before[1]).group(1).strip()}")
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


def test_it_is_removed_as_the_page_says_and_all_is_well(ground, release, kim, shell, adopted):
    kim.cli("cancel", "both", "--wait")
    (newer,) = until(lambda: len(found := ground.get("pods", f"--namespace={release.boxes}")) == 1 and found, within=60)
    words = re.findall(r"`(kubectl [^`]*NAME[^`]*)`", (ROOT / PAGE).read_text(encoding="utf-8"))
    for command in words:
        shell(command.replace("NAME", newer["metadata"]["name"]))

    until(lambda: [each["free"] for each in kim.json("avail")["rows"] if each["gpu_type"] == "h100"] == [8], within=60)
