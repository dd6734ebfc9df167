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


def test_a_box_comes_up_although_the_api_server_restarts_meanwhile(install, machine):
    install.cli("reserve", "cpu", "1h", "--disk", "work", "--no-wait")
    machine.restart_api_server()

    install.cli("wait", "work", timeout=120)
    assert install.ssh("work", "echo here").stdout == "here\n"
    assert len(install.objects(POD)) == 1
    install.cli("cancel", "work", "--wait")


def test_a_box_goes_on_while_the_api_server_is_away(install, machine):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "steady")
    machine.kill("api")
    try:
        assert install.ssh("steady", "echo still here").stdout == "still here\n"
        until(lambda: "does not answer" in install.cli("show", "steady").stdout, within=60)
        assert install.state("steady") == "active"
    finally:
        machine.start("api")
    until(lambda: install.cli("extend", "steady", "1h", ok=False).returncode == 0)
    install.cli("cancel", "steady", "--wait", timeout=120)
    assert install.json("show", "steady")["end_reason"] == "cancelled"


def test_a_box_whose_kubelet_is_away_goes_on_is_not_told_gone_and_ends_when_it_is_back(install, machine):
    install.cli("reserve", "cpu", "1h", "--disk", "quiet")
    install.ssh("quiet", "echo precious > ~/notes; sync")
    machine.stop_kubelet()
    try:
        until(lambda: "does not report" in install.cli("show", "quiet").stdout, within=45)
        assert install.ssh("quiet", "cat ~/notes").stdout == "precious\n"
        install.cli("cancel", "quiet", "--yes")
        until(lambda: install.state("quiet") == "stopping")
        assert len(install.objects(POD)) == 1
    finally:
        machine.start_kubelet()
    until(lambda: install.state("quiet") == "ended", within=120)
    assert [row["state"] for row in install.json("disk", "snapshots", "quiet")["items"]] == ["completed"]
