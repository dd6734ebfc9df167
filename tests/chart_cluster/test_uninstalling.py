"""Uninstalling leaves what the notes say and nothing else; installing again over that has people and files back."""

from __future__ import annotations

import pytest

from tests.chart_cluster.release import commands
from tests.fix_install import until

EVERYTHING = (
    "deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs,pods,services,configmaps,secrets,serviceaccounts,"
    "roles,rolebindings,networkpolicies,persistentvolumeclaims,poddisruptionbudgets"
)
#: What every namespace has by itself.
ANYWHERE = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}


def test_taking_the_second_away_leaves_the_first_alone(release, kim, second):
    second.helm("uninstall", "--wait")

    assert release.ready()
    assert kim.json("whoami")["user"] == "kim"


@pytest.fixture(scope="module")
def kept(release, kim):
    """What there was, of which nothing may be lost."""
    kim.back()
    kim.cli("reserve", "h100:1", "1h", "--disk", "kept")
    kim.back("kept")
    kim.ssh("kept", "echo precious > ~/notes; sync")
    kim.cli("cancel", "kept", "--wait")
    disks = [disk["name"] for disk in kim.json("disk", "list")["items"]]
    return disks, release.secret(), release.notes


def _all(ground, namespace):
    found = ground.get(EVERYTHING, f"--namespace={namespace}")
    return {(each["kind"], each["metadata"]["name"]) for each in found} - ANYWHERE


@pytest.fixture(scope="module")
def gone(ground, release, kept):
    release.helm("uninstall", "--wait")
    until(lambda: not release.get("pods"), within=60)
    return {namespace: _all(ground, namespace) for namespace in (release.control, release.boxes)}


def test_the_secrets_and_the_claims_stay_and_nothing_else_of_the_control_plane(release, gone):
    secrets = {name for kind, name in gone[release.control] if kind == "Secret"}
    kinds = {kind for kind, _ in gone[release.control]}

    assert secrets == {"gpu-dev-secrets", "gpu-dev-authority"}
    assert kinds == {"Secret", "PersistentVolumeClaim"}, gone[release.control]
    assert all(name in release.notes for name in secrets)


def test_disks_stay_where_boxes_were(release, gone):
    claims = [name for kind, name in gone[release.boxes] if kind == "PersistentVolumeClaim"]

    assert len(claims) >= 1


def test_nothing_of_the_cluster_itself_stays_but_namespaces(ground, release, gone):
    cluster_wide = ground.get("clusterroles,clusterrolebindings", "--selector=app.kubernetes.io/part-of=gpudev")

    assert cluster_wide == []
    assert ground.get("namespace", release.control) and ground.get("namespace", release.boxes)


@pytest.fixture(scope="module")
def again(release, gone):
    """Installed over what was kept, with a password that is not the one of then."""
    command = commands("docs/operate/install.md", "kind, k3s, a lab's own machines")[0]
    release.documented(command.replace("test123", "forgotten"), "--wait")
    return release


def test_who_installs_again_with_another_password_gets_in_all_the_same(again, kept):
    assert again.ready()
    assert again.secret() == kept[1]


def test_people_disks_and_files_are_there_again(again, kim, kept):
    kim.back()
    assert [disk["name"] for disk in kim.json("disk", "list")["items"]] == kept[0]
    kim.cli("reserve", "h100:1", "1h", "--disk", "kept")

    kim.back("kept")
    assert kim.ssh("kept", "cat ~/notes").stdout == "precious\n"
    kim.cli("cancel", "kept", "--wait")
