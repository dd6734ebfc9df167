"""Dev servers as pods: what is made, changed and removed, in which order."""

from __future__ import annotations

import base64

import attrs
import pytest

from gpudev_sdk.domain.server import Phase, Presence, ServerId, digest_files
from gpudev_sdk.errors import NoCapacity, NotFound, TryLater
from gpudev_sdk.kube import names, pod
from gpudev_sdk.kube.settings import KubeSettings
from tests.unit.kube.bench import Bench
from tests.unit.kube.objects import GPU, INSTALL, RESERVATION, SERVER, server_spec

NAME = names.server_name(INSTALL, SERVER)
GRAVE = [("configmaps", NAME)]
OTHER = ServerId(RESERVATION, 2)


def content(bench, end):
    data = bench.fake.store.get(bench.key(kind="secrets", end=end))["data"]
    return {name: base64.b64decode(text) for name, text in data.items()}


def take_down(bench, server_id=SERVER, eventually=None):
    """Terminate until it is seen gone; the kubelet does its part at once, a copy may be a moment behind."""

    def is_gone():
        bench.compute.terminate(server_id)
        return bench.compute.observe(server_id).presence is Presence.ABSENT

    eventually(is_gone)


def test_a_launch_makes_the_record_first_and_the_pod_last(bench):
    bench.launch(env={"TOKEN": "hush"})

    assert bench.writes() == [
        ("patch", "networkpolicies", "gd-aabbccdd-closed"),
        ("patch", "networkpolicies", "gd-aabbccdd-gateway"),
        ("patch", "networkpolicies", "gd-aabbccdd-out"),
        ("create", "configmaps", ""),
        ("patch", "secrets", f"{NAME}-files"),
        ("patch", "secrets", f"{NAME}-env"),
        ("create", "pods", ""),
    ]


def test_a_launched_pod_is_as_its_manifest(bench):
    bench.kubelet.idle = True
    spec = bench.launch()
    record = bench.fake.store.get(bench.key(kind="configmaps"))

    ground = pod.Ground(install=INSTALL, settings=bench.settings, record=record, resource=GPU, user_namespaces=True)
    expected = pod.manifest(spec, ground)
    made = bench.pod()
    assert made["spec"] == expected["spec"]
    assert {name: made["metadata"][name] for name in expected["metadata"]} == expected["metadata"]


def test_all_that_is_made_goes_with_the_record(bench):
    bench.launch(env={"TOKEN": "hush"})
    record = bench.fake.store.get(bench.key(kind="configmaps"))

    owned = [bench.key(kind="secrets", end="-files"), bench.key(kind="secrets", end="-env"), bench.key()]
    assert [bench.fake.store.get(key)["metadata"]["ownerReferences"] for key in owned] == [names.owned_by(record)] * 3


def test_the_files_of_a_box_are_those_of_its_spec(bench):
    bench.launch(files={"notice": b"\x00\xff", "host_key": b"key"}, env={"TOKEN": "hush"})

    assert content(bench, "-files") == {"notice": b"\x00\xff", "host_key": b"key"}
    assert content(bench, "-env") == {"TOKEN": b"hush"}


def test_the_scripts_of_a_box_are_in_its_record(bench):
    bench.launch()

    assert set(bench.fake.store.get(bench.key(kind="configmaps"))["data"]) == {
        "start.sh", "listening.sh", "sshd_config", "passwd", "group",
    }  # fmt: skip


def test_without_an_environment_no_secret_is_made_for_one(bench):
    bench.launch()

    assert ("secrets", f"{NAME}-env") not in bench.left()


def test_launching_twice_is_launching_once(bench):
    bench.launch()
    made = bench.pod()

    bench.launch()

    assert bench.pods() == [made]


def test_another_process_that_launches_it_again_changes_nothing(bench):
    bench.launch()
    made = bench.pod()
    bench.again()

    bench.launch()

    assert bench.pods() == [made]


def test_a_launch_after_the_end_does_nothing(bench, eventually):
    bench.launch()
    take_down(bench, eventually=eventually)

    bench.launch()

    assert bench.left() == GRAVE


@pytest.mark.parametrize("restarted", [False, True])
def test_a_launch_after_an_end_without_a_launch_does_nothing(bench, restarted):
    bench.compute.terminate(SERVER)
    if restarted:
        bench.again()

    bench.launch()

    assert bench.left() == GRAVE


def test_the_next_attempt_is_another_server(bench):
    bench.compute.terminate(SERVER)

    bench.launch(server_id=OTHER)

    assert bench.compute.list_servers() == (OTHER,)


@pytest.mark.parametrize(
    "changes",
    [{"node": "node-c"}, {"node": "node-b"}, {"gpu_type": "a100"}, {"gpus": 5}],
    ids=["no such node", "a node of another type", "no such type", "too many GPUs"],
)
def test_what_cannot_fit_is_refused_and_leaves_nothing(bench, changes):
    with pytest.raises(NoCapacity):
        bench.launch(**changes)

    assert (bench.left(), bench.writes()) == ([], [])


def test_a_launch_is_not_refused_when_its_node_goes_away_after_it(bench, eventually):
    spec = bench.launch()
    bench.fake.store.delete(("nodes", "", "node-a"))
    eventually(lambda: len(bench.compute.nodes()) == 1)

    bench.compute.launch(spec)

    assert len(bench.pods()) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_ended_does_nothing_also_where_it_could_not_fit(bench, restarted):
    bench.compute.terminate(SERVER)
    if restarted:
        bench.again()

    bench.launch(node="node-c")

    assert bench.left() == GRAVE


def test_policies_are_applied_once_in_a_process(bench):
    bench.launch()
    bench.launch(server_id=OTHER)

    assert [name for _, kind, name in bench.writes() if kind == "networkpolicies"] == [
        "gd-aabbccdd-closed", "gd-aabbccdd-gateway", "gd-aabbccdd-out",
    ]  # fmt: skip


def test_no_box_starts_before_it_is_fenced_in(bench):
    bench.fake.trouble = lambda call: "403" if call.resource == "networkpolicies" else None

    with pytest.raises(TryLater):
        bench.launch()

    assert bench.left() == []


def test_policies_may_be_left_to_the_cluster(bench):
    bench.again(KubeSettings(network_policies=False))

    bench.launch()

    assert not any(kind == "networkpolicies" for _, kind, _ in bench.writes())


@pytest.mark.parametrize(
    ("node", "wanted", "given"), [("node-a", True, False), ("node-a", False, None), ("node-b", True, None)]
)
def test_a_box_has_users_of_its_own_where_its_node_can_and_that_is_wanted(bench, node, wanted, given):
    bench.again(KubeSettings(user_namespaces=wanted))
    cpu = {"gpu_type": "cpu", "gpus": 0, "slots": (0,)} if node == "node-b" else {}

    bench.launch(node=node, **cpu)

    assert bench.pod()["spec"].get("hostUsers") is given


def test_a_ready_box_is_seen_with_its_endpoint_and_files(bench, eventually):
    spec = bench.launch()

    eventually(lambda: bench.compute.observe(SERVER).phase is Phase.READY)

    seen = bench.compute.observe(SERVER)
    assert (seen.endpoint, seen.files_digest) == ("tcp:10.1.0.7:2222", digest_files(spec.files))
    assert seen.started_at is not None


def test_a_launched_box_is_seen_before_the_watch_tells(bench):
    bench.compute.observe(OTHER)
    bench.fake.stalled = bench.kubelet.idle = True
    bench.launch()
    begun = bench.compute.calls

    assert bench.compute.observe(SERVER).phase is Phase.STARTING
    assert bench.compute.calls == begun


def test_a_box_never_launched_is_absent_by_the_servers_own_word(bench):
    assert bench.compute.observe(SERVER).presence is Presence.ABSENT

    asked = [call.options.get("labelSelector") for call in bench.fake.calls if call.verb == "list"]
    assert names.server_selector(INSTALL, SERVER) in asked


def test_a_box_whose_node_is_gone_is_unknown(bench, eventually):
    bench.launch()

    bench.fake.store.delete(("nodes", "", "node-a"))

    eventually(lambda: bench.compute.observe(SERVER).presence is Presence.UNKNOWN)


def test_configuring_makes_the_files_exactly_those_and_tells_the_kubelet(bench):
    bench.launch(files={"old": b"1", "notice": b"1"})
    files = {"notice": b"2", "new": b"3"}

    bench.compute.configure(SERVER, files)

    assert content(bench, "-files") == files
    assert bench.pod()["metadata"]["annotations"][names.FILES] == digest_files(files)
    assert bench.writes()[-2:] == [("patch", "secrets", f"{NAME}-files"), ("patch", "pods", NAME)]


def test_configured_files_are_seen_at_once(bench):
    bench.launch()

    bench.compute.configure(SERVER, {"notice": b"2"})

    assert bench.compute.observe(SERVER).files_digest == digest_files({"notice": b"2"})


def test_configured_files_still_go_with_the_record(bench):
    bench.launch()
    record = bench.fake.store.get(bench.key(kind="configmaps"))

    bench.compute.configure(SERVER, {"notice": b"2"})

    made = bench.fake.store.get(bench.key(kind="secrets", end="-files"))
    assert made["metadata"]["ownerReferences"] == names.owned_by(record)


def test_configuring_what_is_not_there_makes_nothing(bench):
    bench.compute.configure(SERVER, {"notice": b"2"})

    assert bench.left() == []


def test_configuring_what_is_ending_changes_nothing(bench, eventually):
    bench.kubelet.idle = True
    bench.launch()
    bench.compute.terminate(SERVER)
    eventually(lambda: "ended" in bench.compute.observe(SERVER).reason)
    before = bench.writes()

    bench.compute.configure(SERVER, {"notice": b"2"})

    assert bench.writes() == before


def test_every_server_is_listed_by_its_pod_or_by_its_record(bench):
    bench.launch()
    bench.launch(server_id=OTHER)
    bench.fake.store.remove(bench.key(kind="configmaps"))
    bench.fake.store.remove(bench.key(OTHER))

    assert bench.compute.list_servers() == (SERVER, OTHER)


@pytest.mark.parametrize("resource", ["pods", "configmaps"])
def test_half_a_list_of_servers_is_no_answer(bench, resource):
    bench.launch()
    bench.fake.trouble = lambda call: "503" if (call.verb, call.resource) == ("list", resource) else None

    with pytest.raises(TryLater):
        bench.compute.list_servers()


def test_another_install_is_not_listed(bench):
    bench.launch()

    bench.again(context=attrs.evolve(bench.context, install_id=RESERVATION))

    assert bench.compute.list_servers() == ()


def test_what_the_cluster_has_is_offered(bench):
    assert [kind.name for kind in bench.compute.gpu_types()] == ["cpu", "h100"]
    assert [(node.name, len(node.slots)) for node in bench.compute.nodes()] == [("node-a", 4), ("node-b", 9)]
    assert bench.compute.get_availability_zones() == ("local",)
    assert bench.compute.get_instance("node-a") in bench.compute.list_instances()
    with pytest.raises(NotFound):
        bench.compute.get_instance("node-c")


def test_it_describes_itself(bench, eventually):
    eventually(lambda: bench.compute.nodes() and bench.compute.describe()["pods of others"] == "counted")

    assert bench.compute.describe() == {
        "isolation": "pods",
        "root in a box": "is nobody on 1 of 2 nodes",
        "network": "by network policies of ours",
        "pods of others": "counted",
        "namespace": "gpu-dev",
    }


def test_nothing_is_dialled_before_the_first_question(fake):
    Bench(fake)

    assert fake.calls == []


def test_a_spec_is_not_changed(bench):
    spec = bench.launch()

    assert spec == server_spec()
