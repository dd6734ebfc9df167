"""A person's first day: they see what is free, get a GPU, keep their files, and wait in line."""

from __future__ import annotations

import pytest

from tests.fix_install import until


def test_what_the_node_pretends_to_have_is_free(kim):
    (row,) = [each for each in kim.json("avail")["rows"] if each["gpu_type"] == "h100"]

    assert (row["free"], row["total"], row["backend"]) == (8, 8, "cluster")


@pytest.fixture(scope="module")
def box(kim, brief):
    kim.cli("reserve", "h100:1", "2h", "--disk", "work")
    yield "work"
    kim.cli("cancel", "work", "--wait")


def test_the_box_is_a_restricted_pod_of_the_shipped_image_with_the_gpu(ground, release, box):
    pod = ground.get("pods", f"--namespace={release.boxes}")[0]
    (main,) = pod["spec"]["containers"]

    assert main["image"] == ground.images.devserver
    assert main["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_it_is_reached_by_ssh_through_the_gateway(kim, box):
    assert kim.ssh(box, "id -un; hostname").stdout.split() == ["dev", "work"]


def test_a_file_on_the_disk_is_there_in_the_next_box(kim, box):
    kim.ssh(box, "echo precious > ~/notes; sync")
    kim.cli("cancel", box, "--wait")
    kim.cli("reserve", "h100:1", "2h", "--disk", "work")

    assert kim.ssh(box, "cat ~/notes").stdout == "precious\n"


def test_who_asks_for_more_than_is_free_waits_with_a_time(kim, box):
    said = kim.cli("reserve", "h100:8", "1h", "--no-disk", "--name", "big", "--no-wait").stdout
    row = until(lambda: (row := kim.json("show", "big"))["starts_at"] and row)

    assert "place 1" in said
    assert (row["state"], row["waiting_for"]) == ("queued", "8 × h100")
    kim.cli("cancel", "big", "--wait")


def test_an_admin_is_who_may_enter_the_pods_of_the_control_plane(release):
    said = release.kubectl("exec", "deploy/gpu-dev-api", "--container=api", "--", "gpudev", "admin", "users", "list")

    assert "kim" in said


def test_a_person_of_the_cluster_has_no_admins_rights(kim):
    done = kim.cli("admin", "users", "list", ok=False)

    assert done.returncode != 0
    assert "kim" not in done.stdout
