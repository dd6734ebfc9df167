"""What goes wrong with a pod reaches its person in words, within half a minute, and loses nothing."""

from __future__ import annotations

import os
import pathlib
import signal

import pexpect
import pytest

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CONFIG_MAP, POD, SECRET, Kind
from tests.fix_install import until

SOON = 30.0


@pytest.fixture
def api(place):
    return place.api()


def pod_of(install, name):
    """Return the name of a reservation's pod."""
    wanted = install.json("show", name)["id"]
    return until(
        lambda: next(
            (
                item["metadata"]["name"]
                for item in install.place.api().list(POD, f"{names.RESERVATION}={wanted}").items
            ),
            None,
        )
    )  # fmt: skip


def says(install, name, *words):
    """Wait until `gpudev show` has all of these words."""
    return until(lambda: all(word in install.cli("show", name).stdout for word in words), within=SOON)


def first_process(install, name):
    """Return this machine's pid of a box's first process."""
    space = install.ssh(name, "readlink /proc/self/ns/pid").stdout.strip()
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            same = os.readlink(path.parent / "ns" / "pid") == space
            inside = next(line.split()[-1] for line in path.read_text().splitlines() if line.startswith("NSpid:"))
        except (OSError, StopIteration):
            continue
        if same and inside == "1":
            return int(path.parent.name)
    raise AssertionError(f"no first process of {name}")


def test_a_box_whose_first_process_dies_starts_again_in_place_and_says_how_often(install, place):
    if place.machine is None:
        pytest.skip("missing ability: processes of the node are reached on this machine's own cluster alone")
    install.cli("reserve", "cpu", "1h", "--disk", "tough")
    install.ssh("tough", "echo precious > ~/notes; sync")
    pod = pod_of(install, "tough")
    os.kill(first_process(install, "tough"), signal.SIGKILL)

    says(install, "tough", "started again once", "with status 137")
    until(lambda: install.ssh("tough", "cat ~/notes", ok=False).stdout == "precious\n")
    assert pod_of(install, "tough") == pod
    assert install.state("tough") == "active"
    install.cli("cancel", "tough", "--wait")


def test_a_program_that_takes_all_memory_is_ended_alone_and_its_person_told(install):
    """As cgroup v1 does it; where the kernel ends the box as a whole, it starts again, and says that it ran out of memory."""
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "hungry")
    command = install.ssh_command("hungry")
    terminal = pexpect.spawn(command[0], ["-tt", *command[1:]], env=install.environment, timeout=60)
    terminal.expect([r"\$ ", "# "])
    install.ssh("hungry", "tail /dev/zero", ok=False)

    terminal.expect("ran out of memory")
    terminal.close()
    assert install.state("hungry") == "active"
    install.cli("cancel", "hungry", "--wait")


def test_an_image_that_is_not_there_is_told(install):
    install.cli(
        "reserve", "cpu", "1h", "--no-disk", "--name", "wrong", "--image", "localhost:5000/no/such:1", "--no-wait"
    )

    says(install, "wrong", "the image localhost:5000/no/such:1 cannot be had")
    install.cli("cancel", "wrong", "--wait")
    assert install.boxes() == []


def test_a_pod_that_is_deleted_by_hand_ends_in_a_snapshot(install, api):
    install.cli("reserve", "cpu", "1h", "--disk", "drained")
    install.ssh("drained", "echo precious > ~/notes")

    api.delete(POD, pod_of(install, "drained"))

    until(lambda: install.state("drained") == "ended", within=60)
    assert (
        "ended from outside" in install.cli("show", "drained").stdout
        or install.json("show", "drained")["end_reason"] == "failed"
    )
    assert [row["state"] for row in install.json("disk", "snapshots", "drained")["items"]] == ["completed"]
    install.cli("reserve", "cpu", "1h", "--disk", "drained")
    assert install.ssh("drained", "cat ~/notes").stdout == "precious\n"
    install.cli("cancel", "drained", "--wait")


def test_an_evicted_pod_ends_in_a_snapshot_and_says_so(install, api):
    install.cli("reserve", "cpu", "1h", "--disk", "evicted")
    install.ssh("evicted", "echo precious > ~/notes")
    # What `kubectl drain` asks for: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
    pod = pod_of(install, "evicted")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    api.create(Kind("Eviction", "v1", f"pods/{pod}/eviction"), body)
    until(lambda: install.state("evicted") == "ended", within=60)
    assert [row["state"] for row in install.json("disk", "snapshots", "evicted")["items"]] == ["completed"]


def test_nothing_is_left_of_a_cancelled_box(install):
    install.cli("reserve", "cpu", "1h", "--no-disk", "--name", "brief", "--env", "SECRET=x")
    assert len(install.objects(POD, SECRET, CONFIG_MAP)) == 4
    install.cli("cancel", "brief", "--wait")

    until(lambda: install.objects(POD, SECRET, CONFIG_MAP) == [], within=5)
