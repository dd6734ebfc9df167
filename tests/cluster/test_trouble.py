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


@pytest.fixture(scope="module")
def lab(new_install):
    made = new_install()
    made.up()
    yield made
    made.close()


@pytest.fixture
def api(place):
    return place.api()


def pod_of(lab, name):
    """Return the name of a reservation's pod."""
    wanted = lab.json("show", name)["id"]
    return until(
        lambda: next(
            (
                item["metadata"]["name"]
                for item in lab.place.api().list(POD, f"{names.RESERVATION}={wanted}").items
            ),
            None,
        )
    )  # fmt: skip


def says(lab, name, *words):
    """Wait until `gpudev show` has all of these words."""
    return until(lambda: all(word in lab.cli("show", name).stdout for word in words), within=SOON)


def first_process(lab, name):
    """Return this machine's pid of a box's first process."""
    space = lab.ssh(name, "readlink /proc/self/ns/pid").stdout.strip()
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            same = os.readlink(path.parent / "ns" / "pid") == space
            inside = next(line.split()[-1] for line in path.read_text().splitlines() if line.startswith("NSpid:"))
        except (OSError, StopIteration):
            continue
        if same and inside == "1":
            return int(path.parent.name)
    raise AssertionError(f"no first process of {name}")


def test_a_box_whose_first_process_dies_starts_again_in_place_and_says_how_often(lab, place):
    if place.machine is None:
        pytest.skip("missing ability: processes of the node are reached on this machine's own cluster alone")
    lab.cli("reserve", "cpu", "1h", "--disk", "tough")
    lab.ssh("tough", "echo precious > ~/notes; sync")
    pod = pod_of(lab, "tough")
    os.kill(first_process(lab, "tough"), signal.SIGKILL)

    says(lab, "tough", "started again once", "with status 137")
    until(lambda: lab.ssh("tough", "cat ~/notes", ok=False).stdout == "precious\n")
    assert pod_of(lab, "tough") == pod
    assert lab.state("tough") == "active"
    lab.cli("cancel", "tough", "--wait")


def test_a_program_that_takes_all_memory_is_ended_alone_and_its_person_told(lab):
    """As cgroup v1 does it; where the kernel ends the box as a whole, it starts again, and says that it ran out of memory."""
    lab.cli("reserve", "cpu", "1h", "--no-disk", "--name", "hungry")
    command = lab.ssh_command("hungry")
    terminal = pexpect.spawn(command[0], ["-tt", *command[1:]], env=lab.environment, timeout=60)
    terminal.expect([r"\$ ", "# "])
    lab.ssh("hungry", "tail /dev/zero", ok=False)

    terminal.expect("ran out of memory")
    terminal.close()
    assert lab.state("hungry") == "active"
    lab.cli("cancel", "hungry", "--wait")


def test_an_image_that_is_not_there_is_told(lab):
    lab.cli("reserve", "cpu", "1h", "--no-disk", "--name", "wrong", "--image", "localhost:5000/no/such:1", "--no-wait")

    says(lab, "wrong", "the image localhost:5000/no/such:1 cannot be had")
    lab.cli("cancel", "wrong", "--wait")
    assert lab.boxes() == []


def test_a_pod_that_is_deleted_by_hand_ends_in_a_snapshot(lab, api):
    lab.cli("reserve", "cpu", "1h", "--disk", "drained")
    lab.ssh("drained", "echo precious > ~/notes")

    api.delete(POD, pod_of(lab, "drained"))

    until(lambda: lab.state("drained") == "ended", within=60)
    assert (
        "ended from outside" in lab.cli("show", "drained").stdout
        or lab.json("show", "drained")["end_reason"] == "failed"
    )
    assert [row["state"] for row in lab.json("disk", "snapshots", "drained")["items"]] == ["completed"]
    lab.cli("reserve", "cpu", "1h", "--disk", "drained")
    assert lab.ssh("drained", "cat ~/notes").stdout == "precious\n"
    lab.cli("cancel", "drained", "--wait")


def test_an_evicted_pod_ends_in_a_snapshot_and_says_so(lab, api):
    lab.cli("reserve", "cpu", "1h", "--disk", "evicted")
    lab.ssh("evicted", "echo precious > ~/notes")
    # What `kubectl drain` asks for: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
    pod = pod_of(lab, "evicted")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    api.create(Kind("Eviction", "v1", f"pods/{pod}/eviction"), body)
    until(lambda: lab.state("evicted") == "ended", within=60)
    assert [row["state"] for row in lab.json("disk", "snapshots", "evicted")["items"]] == ["completed"]


def test_nothing_is_left_of_a_cancelled_box(lab):
    lab.cli("reserve", "cpu", "1h", "--no-disk", "--name", "brief", "--env", "SECRET=x")
    assert len(lab.objects(POD, SECRET, CONFIG_MAP)) == 4
    lab.cli("cancel", "brief", "--wait")

    until(lambda: lab.objects(POD, SECRET, CONFIG_MAP) == [], within=5)
