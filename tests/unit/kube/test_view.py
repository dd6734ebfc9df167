"""What compute knows of a cluster: copies, and the API server's own word where a copy cannot do."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.usage import Usage
from gpudev_sdk.kube.view import View
from tests.unit.kube.objects import GPU, INSTALL, SERVER, STRANGER, node

NAME = names.server_name(INSTALL, SERVER)


@pytest.fixture
def view_of(fake):
    """Return a function that builds views, which end with the test."""
    made = []

    def build(*, count_others=True):
        made.append(View(fake.api(), INSTALL, count_others=count_others))
        return made[-1]

    yield build
    for view in made:
        view.stop()


def put_node(fake, name="node-a", **changes):
    item = node(name, **changes)
    del item["metadata"]["resourceVersion"]
    fake.store.create(("nodes", "", name), {"kind": "Node"} | item)


def put_pod(fake, name=NAME, *, install=INSTALL, namespace="gpu-dev", gpus=0):
    box = {"name": "box", "resources": {"requests": {GPU: str(gpus)}}}
    metadata = {
        "labels": names.server_labels(install, SERVER) | {names.GPU_TYPE: "h100"},
        "annotations": {names.SLOTS: "0"},
        "managedFields": ["large"],
    }
    body = {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-a", "containers": [box]}}
    return fake.store.create(("pods", namespace, name), body)


def test_a_pod_of_ours_is_found(fake, view_of):
    put_pod(fake)

    assert view_of().find_pod(NAME)["metadata"]["name"] == NAME


def test_a_pod_that_the_copy_does_not_have_is_asked_for(fake, view_of):
    view = view_of()
    assert view.find_pod(NAME) is None
    fake.stalled = True
    put_pod(fake)

    assert view.find_pod(NAME) is not None


def test_a_pod_of_that_name_that_is_not_ours_is_none(fake, view_of):
    put_pod(fake, install=STRANGER)

    assert view_of().find_pod(NAME) is None


def test_an_old_copy_is_not_believed(fake, view_of, passing, eventually):
    put_pod(fake)
    view = view_of()
    view.find_pod(NAME)
    fake.stalled = True
    fake.store.remove(("pods", "gpu-dev", NAME))
    assert view.find_pod(NAME) is not None

    passing(60)

    assert view.find_pod(NAME) is None


def test_an_old_copy_of_nodes_is_not_believed(fake, view_of, passing):
    put_node(fake, "node-a")
    view = view_of()
    view.nodes()
    fake.stalled = True
    put_node(fake, "node-b")

    passing(60)

    assert [each["metadata"]["name"] for each in view.nodes()] == ["node-a", "node-b"]


def test_a_node_that_the_copy_does_not_have_is_asked_for(fake, view_of):
    view = view_of()
    assert view.find_node("node-a") is None
    fake.stalled = True
    put_node(fake)

    assert view.find_node("node-a") is not None


def test_of_a_node_its_images_are_not_kept(fake, view_of, passing):
    put_node(fake, spec={"taints": [], "podCIDR": "10.1.0.0/24"}, status={"images": ["large"], "runtimeHandlers": []})
    view = view_of()

    (copied,) = view.nodes()
    passing(60)
    fake.trouble = lambda call: "410" if call.verb == "watch" else None
    (asked,) = view.nodes()

    assert (set(copied["spec"]), set(copied["status"])) == (
        {"taints"}, {"allocatable", "capacity", "conditions", "runtimeHandlers"},
    )  # fmt: skip
    assert asked == copied


def test_of_a_pod_its_manifest_is_not_kept(fake, view_of):
    made = put_pod(fake)
    metadata = {name: value for name, value in made["metadata"].items() if name != "managedFields"}

    assert view_of().find_pod(NAME) == {
        "metadata": metadata, "spec": {"nodeName": "node-a"}, "status": {"phase": "Pending"},
    }  # fmt: skip


def test_pods_of_others_count_and_ours_hold_their_slots(fake, view_of):
    put_pod(fake)
    put_pod(fake, "theirs", install=STRANGER, namespace="elsewhere", gpus=2)

    assert view_of().usage() == Usage(taken={"node-a": {GPU: 2.0}}, slots={("node-a", "h100"): frozenset({0})})


@pytest.mark.parametrize("count_others", [False, True])
def test_where_others_are_not_seen_ours_still_hold_their_slots(fake, view_of, count_others):
    put_pod(fake)
    put_pod(fake, "theirs", install=STRANGER, namespace="elsewhere", gpus=2)
    fake.trouble = lambda call: "403" if call.resource == "pods" and not call.namespace else None
    view = view_of(count_others=count_others)

    assert view.usage() == Usage(slots={("node-a", "h100"): frozenset({0})})
    assert not view.counts_others


def test_without_an_answer_nobody_is_said_to_use_nothing(fake, view_of):
    fake.trouble = lambda call: "503" if call.resource == "pods" else None

    with pytest.raises(TryLater):
        view_of().usage()


def test_our_pods_are_listed_by_the_server_itself(fake, view_of):
    view = view_of()
    view.find_pod(NAME)
    fake.stalled = True
    put_pod(fake)
    put_pod(fake, "theirs", install=STRANGER)

    assert [each["metadata"]["name"] for each in view.list_pods()] == [NAME]
