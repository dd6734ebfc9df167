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


def put_pod(fake, name=NAME, *, install=INSTALL, namespace="gpu-dev", gpus=0, more=None):
    box = {"name": "box", "resources": {"requests": {GPU: str(gpus)}}}
    metadata = {
        "labels": names.server_labels(install, SERVER) | {names.GPU_TYPE: "h100"},
        "annotations": {names.SLOTS: "0"} | (more or {}),
        "managedFields": ["large"],
    }
    body = {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-a", "containers": [box]}}
    return fake.store.create(("pods", namespace, name), body)


def test_a_pod_of_ours_is_found(fake, view_of):
    put_pod(fake)

    assert [each["metadata"]["name"] for each in view_of().find_pods(SERVER)] == [NAME]


def test_a_pod_that_the_copy_does_not_have_is_asked_for(fake, view_of):
    view = view_of()
    assert view.find_pods(SERVER) == []
    fake.stalled = True
    put_pod(fake)

    assert len(view.find_pods(SERVER)) == 1


def test_a_pod_of_that_name_that_is_not_ours_is_none(fake, view_of):
    put_pod(fake, install=STRANGER)

    assert view_of().find_pods(SERVER) == []


def test_an_old_copy_is_not_believed(fake, view_of, passing, eventually):
    put_pod(fake)
    view = view_of()
    view.find_pods(SERVER)
    fake.stalled = True
    fake.store.remove(("pods", "gpu-dev", NAME))
    assert len(view.find_pods(SERVER)) == 1

    passing(60)

    assert view.find_pods(SERVER) == []


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

    assert view_of().find_pods(SERVER) == [
        {"metadata": metadata, "spec": {"nodeName": "node-a"}, "status": {"phase": "Pending"}},
    ]  # fmt: skip


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
    view.find_pods(SERVER)
    fake.stalled = True
    put_pod(fake)
    put_pod(fake, "theirs", install=STRANGER)

    assert [each["metadata"]["name"] for each in view.list_pods()] == [NAME]


def put_gang(fake, *ranks, nodes=2):
    for rank in ranks:
        put_pod(fake, names.rank_name(NAME, rank), more={names.RANK: str(rank), names.NODES: str(nodes)})


def ranks_of(view):
    return [names.rank_of(each) for each in view.find_pods(SERVER)]


def asked(fake):
    return [call.options.get("labelSelector") for call in fake.calls if (call.verb, call.resource) == ("list", "pods")]


def test_a_gang_that_the_copy_has_whole_is_asked_for_nowhere(fake, view_of, eventually):
    put_gang(fake, 1, 0)
    view = view_of()
    eventually(lambda: ranks_of(view) == [0, 1])
    before = asked(fake)

    assert ranks_of(view) == [0, 1]
    assert asked(fake) == before


@pytest.mark.parametrize("there", [(0,), (1,), (0, 2), (1, 2)])
def test_of_a_gang_that_is_not_whole_the_server_itself_says_what_is_there(fake, view_of, there):
    put_gang(fake, *there[::-1], nodes=3)

    assert ranks_of(view_of()) == list(there)
    assert names.server_selector(INSTALL, SERVER) in asked(fake)
