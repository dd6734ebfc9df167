"""What compute knows of a cluster: copies, and the API server's own word where a copy cannot do."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLAIM, SNAPSHOT
from gpudev_sdk.kube.usage import Usage
from gpudev_sdk.kube.view import JUST_NOW, View
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


def kept(fake, kind, name, part, **more):
    metadata = {"labels": {names.INSTALL: str(INSTALL), names.PART: part}}
    return fake.store.create((kind.plural, "gpu-dev", name), kind.body(metadata) | more)


KEPT = [(CLAIM, "disk"), (SNAPSHOT, "snapshot")]


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_a_claim_or_snapshot_that_the_copy_has_is_not_asked_for(fake, view_of, kind, part):
    kept(fake, kind, "one", part)
    view = view_of()
    view.find_kept(kind, "one")
    before = len([call for call in fake.calls if call.verb == "get"])

    assert view.find_kept(kind, "one")["metadata"]["name"] == "one"
    assert len([call for call in fake.calls if call.verb == "get"]) == before == 0


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_a_claim_or_snapshot_that_the_copy_does_not_have_is_asked_for(fake, view_of, kind, part):
    """Another processor made it a moment ago."""
    view = view_of()
    assert view.find_kept(kind, "one") is None
    fake.stalled = True
    kept(fake, kind, "one", part)

    assert view.find_kept(kind, "one") is not None


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_an_old_copy_of_claims_or_snapshots_is_not_believed(fake, view_of, passing, kind, part):
    kept(fake, kind, "one", part)
    view = view_of()
    view.find_kept(kind, "one")
    fake.stalled = True
    fake.store.remove((kind.plural, "gpu-dev", "one"))
    assert view.find_kept(kind, "one") is not None

    passing(60)

    assert view.find_kept(kind, "one") is None


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_a_copy_whose_watch_was_cut_or_forgotten_is_made_anew(fake, view_of, eventually, kind, part):
    kept(fake, kind, "one", part)
    view = view_of()
    view.find_kept(kind, "one")
    fake.trouble = lambda call: "410" if (call.verb, len(cut)) == ("watch", 0) and not cut.append(call) else None
    cut: list = []
    fake.cut_watches()
    eventually(lambda: cut)

    fake.store.remove((kind.plural, "gpu-dev", "one"))

    eventually(lambda: view.find_kept(kind, "one") is None)


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_an_object_of_that_name_that_is_not_ours_is_none(fake, view_of, kind, part):
    fake.store.create((kind.plural, "gpu-dev", "one"), kind.body({"labels": {names.INSTALL: str(STRANGER)}}))

    assert view_of().find_kept(kind, "one") is None


@pytest.mark.parametrize(("kind", "part"), KEPT)
def test_what_the_server_answered_is_known_before_the_watch_tells(fake, view_of, kind, part):
    view = view_of()
    view.find_kept(kind, "none")
    fake.stalled = True
    view.note_kept(kind, kept(fake, kind, "one", part))
    fake.trouble = lambda call: "503"

    assert view.find_kept(kind, "one") is not None


HOME = {"metadata": {"name": "home"}, "status": {"phase": "Bound"}}


def put_user(fake, phase="Running", name="user"):
    volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}]
    body = {"kind": "Pod", "metadata": {}, "spec": {"volumes": volumes}, "status": {"phase": phase}}
    return fake.store.create(("pods", "gpu-dev", name), body)


def whole_lists(fake):
    """Return how often all pods of the namespace were listed."""
    listed = [call for call in fake.calls if (call.verb, call.resource) == ("list", "pods") and call.namespace]
    return [call.options.get("labelSelector", "") for call in listed].count("")


def test_a_user_that_the_copy_has_is_not_asked_for(fake, view_of):
    put_user(fake)
    view = view_of()

    assert (view.users_of(HOME), whole_lists(fake)) == (("user",), 1)
    assert (view.users_of(HOME), whole_lists(fake)) == (("user",), 1)


def test_a_user_that_the_copy_does_not_have_is_asked_for(fake, view_of):
    """Another processor launched it a moment ago."""
    view = view_of()
    assert view.users_of(HOME) == ()
    fake.stalled = True
    put_user(fake)

    assert view.users_of(HOME) == ("user",)


def test_without_an_answer_a_claim_is_not_said_to_be_free(fake, view_of):
    view = view_of()
    view.users_of(HOME)
    fake.trouble = lambda call: "503"

    with pytest.raises(TryLater):
        view.users_of(HOME)


def test_whose_last_user_was_seen_to_go_nobody_uses(fake, view_of, eventually):
    put_user(fake)
    view = view_of()
    view.users_of(HOME)
    fake.store.remove(("pods", "gpu-dev", "user"))
    eventually(lambda: view._pods.find("user") is None)
    before = whole_lists(fake)

    assert (view.users_of(HOME), whole_lists(fake)) == ((), before)


def test_of_an_old_copy_nobody_is_believed_to_have_gone(fake, view_of, passing, eventually):
    put_user(fake)
    view = view_of()
    view.users_of(HOME)
    fake.store.remove(("pods", "gpu-dev", "user"))
    eventually(lambda: view._pods.find("user") is None)
    fake.stalled = True
    put_user(fake, name="other")

    passing(40)

    assert view.users_of(HOME) == ("other",)


def test_what_has_no_volume_yet_nobody_uses(fake, view_of):
    view = view_of()
    view.users_of(HOME)
    before = whole_lists(fake)

    assert (view.users_of(HOME | {"status": {"phase": "Pending"}}), whole_lists(fake)) == ((), before)


def test_that_the_last_pods_went_is_told_without_asking_and_once(fake, view_of):
    made = put_pod(fake)
    view = view_of()
    view.find_pods(SERVER)
    before = asked(fake)

    view.note_gone(SERVER, [made])

    assert (view.find_pods(SERVER), asked(fake)) == ([], before)
    # The store still has it, and says so to who asks.
    assert len(view.find_pods(SERVER)) == 1


def test_that_the_last_pods_went_is_not_told_a_while_later(fake, view_of, passing):
    made = put_pod(fake)
    view = view_of()
    view.find_pods(SERVER)
    view.note_gone(SERVER, [made])

    passing(JUST_NOW)

    assert len(view.find_pods(SERVER)) == 1


def test_a_pod_that_comes_after_the_last_ones_went_is_seen(fake, view_of, eventually):
    made = put_pod(fake)
    view = view_of()
    view.find_pods(SERVER)
    fake.store.remove(("pods", "gpu-dev", NAME))
    view.note_gone(SERVER, [made])

    again = put_pod(fake)
    eventually(lambda: view._pods.find(NAME) is not None)

    assert view.find_pods(SERVER)[0]["metadata"]["uid"] == again["metadata"]["uid"]
