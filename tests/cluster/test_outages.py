"""Parts of the cluster stop and come back: boxes go on, what was asked happens, and nothing is taken for gone."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.kinds import POD
from tests.fix_install import until

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture
def machine(place):
    if place.machine is None:
        pytest.skip("missing ability: parts are stopped on this machine's own cluster alone")
    return place.machine


@pytest.fixture(scope="module")
def lab(new_install):
    made = new_install()
    made.up()
    yield made
    made.close()


def test_a_box_comes_up_although_the_api_server_restarts_meanwhile(lab, machine):
    lab.cli("reserve", "cpu", "1h", "--disk", "work", "--no-wait")
    machine.restart_api_server()

    lab.cli("wait", "work", timeout=120)
    assert lab.ssh("work", "echo here").stdout == "here\n"
    assert len(lab.objects(POD)) == 1
    lab.cli("cancel", "work", "--wait")


def test_a_box_goes_on_while_the_api_server_is_away(lab, machine):
    lab.cli("reserve", "cpu", "1h", "--no-disk", "--name", "steady")
    machine.kill("api")
    try:
        assert lab.ssh("steady", "echo still here").stdout == "still here\n"
        until(lambda: "does not answer" in lab.cli("show", "steady").stdout, within=60)
        assert lab.state("steady") == "active"
    finally:
        machine.start("api")
    until(lambda: lab.cli("extend", "steady", "1h", ok=False).returncode == 0)
    lab.cli("cancel", "steady", "--wait", timeout=120)
    assert lab.json("show", "steady")["end_reason"] == "cancelled"


def test_a_box_whose_kubelet_is_away_goes_on_is_not_told_gone_and_ends_when_it_is_back(lab, machine):
    lab.cli("reserve", "cpu", "1h", "--disk", "quiet")
    lab.ssh("quiet", "echo precious > ~/notes; sync")
    machine.stop_kubelet()
    try:
        until(lambda: "does not report" in lab.cli("show", "quiet").stdout, within=45)
        assert lab.ssh("quiet", "cat ~/notes").stdout == "precious\n"
        lab.cli("cancel", "quiet", "--yes")
        until(lambda: lab.state("quiet") == "stopping")
        assert len(lab.objects(POD)) == 1
    finally:
        machine.start_kubelet()
    until(lambda: lab.state("quiet") == "ended", within=120)
    assert [row["state"] for row in lab.json("disk", "snapshots", "quiet")["items"]] == ["completed"]
