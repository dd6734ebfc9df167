"""The program `kind`: what it is told, and what its errors become."""

from __future__ import annotations

import json

import pytest

from gpudev_kind import cluster
from gpudev_kind.cluster import Kind
from gpudev_sdk.errors import Conflict, Unworkable


def test_without_kind_the_error_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unworkable, match="not installed") as raised:
        cluster.find()
    assert "kind.sigs.k8s.io" in raised.value.hint
    with pytest.raises(Unworkable, match="not installed"):
        Kind(str(tmp_path / "kind")).clusters()


def test_clusters_are_listed_also_when_there_are_none(kind):
    assert cluster.find().clusters() == ()
    kind.write(["a", "b.c"])

    assert cluster.find().clusters() == ("a", "b.c")


def test_a_cluster_is_made_as_it_was_asked_for(kind, tmp_path):
    cluster.find().create("lab", "node:1", 2, str(tmp_path / "config"))
    (words, given), *_ = kind.calls

    assert words == [
        "create", "cluster", "--name", "lab", "--wait", "180s", "--config", "-", "--image", "node:1",
        "--kubeconfig", str(tmp_path / "config"),
    ]  # fmt: skip
    assert [node["role"] for node in json.loads(given)["nodes"]] == ["control-plane", "worker", "worker"]


def test_deleting_and_loading_name_the_cluster(kind):
    kind.write(["lab"])
    found = cluster.find()
    found.load_image("lab", "tools:1")
    found.export_kubeconfig("lab", "")
    found.delete("lab", "")

    assert [words for words, _ in kind.calls] == [
        ["load", "docker-image", "tools:1", "--name", "lab"],
        ["export", "kubeconfig", "--name", "lab"],
        ["delete", "cluster", "--name", "lab"],
    ]
    assert kind.clusters == []


@pytest.mark.parametrize(
    ("said", "meaning", "hint"),
    [
        ("ERROR: failed to list clusters: Cannot connect to the Docker daemon at unix:///x.", "no container engine", "docker ps"),
        ("permission denied while trying to connect to the Docker daemon socket", "does not let this user in", "docker ps"),
        ('ERROR: exec: "docker": executable file not found in $PATH', "there is no container engine", "Install Docker"),
        ("ERROR: failed to create cluster: write /x: no space left on device", "is full", "docker system prune"),
        ('failed to pull image "kindest/node:v9": exit status 1', "image of the nodes", "node_image"),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "a port", "docker ps"),
        ("noise\nERROR: something new\nmore noise", "something new", "by hand"),
        ("", "it said nothing", "by hand"),
    ],
)  # fmt: skip
def test_its_errors_become_words_with_a_next_step(kind, said, meaning, hint):
    kind.write(trouble={"get clusters": (1, said)})

    with pytest.raises(Unworkable) as raised:
        cluster.find().clusters()
    assert meaning in raised.value.message
    assert hint in raised.value.hint


def test_a_cluster_made_by_somebody_else_just_now_is_a_conflict(kind):
    kind.write(["lab"])

    with pytest.raises(Conflict):
        cluster.find().create("lab", "", 0, "")


def test_a_run_that_does_not_end_is_ended(kind, monkeypatch):
    kind.write(trouble={"get clusters": (0, "")}, slow=30)
    monkeypatch.setattr(cluster, "_SHORT", 0.2)

    with pytest.raises(Unworkable, match="did not end in 0 s"):
        cluster.find().clusters()
