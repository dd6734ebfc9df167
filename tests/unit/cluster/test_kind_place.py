"""The cluster of kind, which the tests choose where an engine runs: what is asked of both, with scripts in their stead."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cluster import kind_place, place
from tests.cluster.machine import programs
from tests.cluster.machine.recipes import CRDS

SCRIPT = """#!{python}
import json, pathlib, sys
here = pathlib.Path({folder!r})
words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
given = sys.stdin.read() if "-i" in words or "-" in words else ""
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([words, given]) + "\\n")
trouble = here / "trouble"
if trouble.exists() and " ".join(words).startswith(trouble.read_text()):
    sys.exit("it is broken")
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put a `docker` and a `kind` that do nothing in front of all others, and return where they write what they were asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "kind"):
        (folder / name).write_text(SCRIPT.format(python=sys.executable, folder=str(tmp_path)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    built = tmp_path / "built" / programs.CRD_FOLDER
    built.mkdir(parents=True)
    for crd in CRDS:
        (built / crd).write_text(f"crd {crd}")
    monkeypatch.setattr(programs, "ensure", lambda: tmp_path / "built")
    return tmp_path


def calls(tools):
    """Return (words, what came in) of each call."""
    return [json.loads(line) for line in (tools / "calls").read_text().splitlines()]


def said(tools):
    return [" ".join(words) for words, _ in calls(tools)]


def test_a_cluster_that_is_given_comes_first(tools, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/somewhere")

    assert place.choose() is place.given


def test_kind_is_taken_where_its_engine_answers(tools):
    assert place.choose() is place.of_kind


def test_without_an_engine_that_answers_it_is_built_here(tools):
    (tools / "trouble").write_text("docker info")

    assert place.choose() is place.fenced


@pytest.mark.parametrize("lacking", ["docker", "kind"])
def test_without_one_of_the_programs_it_is_built_here(tools, lacking):
    (tools / "bin" / lacking).unlink()

    assert place.choose() is place.fenced


def test_the_cluster_is_made_furnished_and_deleted(tools):
    with kind_place.up(8) as made:
        assert made.registry == "localhost:5001"
        inside = [words for words in said(tools) if words.startswith("docker")]
        given = dict(zip(said(tools), (given for _, given in calls(tools)), strict=True))

    (create,) = [words for words in given if words.startswith("kind create")]
    (port,) = json.loads(given[create])["nodes"][0]["extraPortMappings"]
    assert port == {"containerPort": 5001, "hostPort": 5001, "listenAddress": "127.0.0.1"}
    started = [words.split()[4].rpartition("/")[2] for words in inside if words.startswith("docker exec -d")]
    assert started == ["registry", "driver", "csi-provisioner", "csi-snapshotter", "snapshot-controller"]
    assert {words.split()[2].rpartition("/")[2] for words in inside if " cp " in words} == set(started)
    assert any('"nvidia.com/gpu": "8"' in words for words in inside)
    assert said(tools)[-1] == "kind delete cluster --name gpudev-test"


def test_what_is_asked_for_is_there_before_who_answers_it(tools):
    with kind_place.up(8):
        kinds = [
            [item["kind"] for item in json.loads(given)["items"]]
            for words, given in calls(tools)
            if "apply" in words and given.startswith("{")
        ]

    assert kinds == [["CSIDriver", "StorageClass", "StorageClass"], ["VolumeSnapshotClass"]]
    order = said(tools)
    assert order.index(next(words for words in order if "--for=condition=Established" in words)) < order.index(
        next(words for words in order if "snapshot-controller --kubeconfig" in words)
    )


@pytest.mark.parametrize("step", ["kind create", "docker cp", "docker exec -i gpudev-test-control-plane kubectl"])
def test_a_cluster_that_cannot_be_furnished_says_why_and_is_deleted(tools, step):
    (tools / "trouble").write_text(step)

    with pytest.raises(kind_place.NoCluster, match="it is broken"), kind_place.up(8):
        pytest.fail("it is not up")

    assert said(tools)[-1] == "kind delete cluster --name gpudev-test"
