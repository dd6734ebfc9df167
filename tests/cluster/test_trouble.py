"""What goes wrong with a pod reaches its person in words, within half a minute, and loses nothing."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import POD, Kind
from tests.fix_install import until

SOON = 30.0
#: Fills memory. The first process of the box goes first, as it does wherever the kernel ends a box as a whole (cgroup v2).
HOG = "echo 1000 > /proc/1/oom_score_adj; tail /dev/zero"


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


def test_a_box_that_runs_out_of_memory_starts_again_in_place_and_says_how_often(lab):
    lab.cli("reserve", "cpu", "1h", "--disk", "hungry")
    lab.ssh("hungry", "echo precious > ~/notes; sync")
    pod = pod_of(lab, "hungry")
    lab.ssh("hungry", HOG, ok=False)

    says(lab, "hungry", "started again once", "ran out of memory")
    until(lambda: lab.ssh("hungry", "cat ~/notes", ok=False).stdout == "precious\n")
    assert pod_of(lab, "hungry") == pod
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
    assert len(lab.objects()) >= 4
    lab.cli("cancel", "brief", "--wait")

    until(lambda: lab.objects() == [], within=5)
