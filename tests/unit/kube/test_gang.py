"""A gang: a pod a node, which come up together, know and reach each other, and go together."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.domain.server import Peer, Phase, Presence, Sighting, digest_files
from gpudev_sdk.errors import NoCapacity, TryLater
from gpudev_sdk.kube import gang, names, pod
from gpudev_sdk.testing.files import box_files
from tests.unit.kube.bench import H100, Bench, Nth, _new, rights
from tests.unit.kube.fake_api import NAMESPACE
from tests.unit.kube.objects import INSTALL, RESERVATION, SERVER, node, server_spec
from tests.unit.kube.test_compute_trouble import until_done

NAME = names.server_name(INSTALL, SERVER)
PODS = [names.rank_name(NAME, rank) for rank in (0, 1)]
GRAVE = [("configmaps", NAME)]
ALL_4 = (0, 1, 2, 3)
PEERS = (Peer("node-a", ALL_4), Peer("node-c", ALL_4))
DISK = Mount(volume_id=RESERVATION, disk_id=RESERVATION, kind=MountKind.CLAIM, source="gd-aabbccdd-v-1")
#: Calls of a launch that change something.
LAUNCH = 11


def gang_spec(**changes):
    return server_spec(**({"gpus": 4, "slots": ALL_4, "peers": PEERS} | changes))


@pytest.fixture
def bench(fake):
    fake.store.create(("nodes", "", "node-c"), _new(node("node-c", gpus=4, labels=H100), "Node"))
    made = Bench(fake)
    yield made
    made.stop()


@pytest.fixture
def running(bench, eventually):
    """A gang that is ready, whose kubelets do nothing more by themselves."""
    bench.compute.launch(gang_spec(files=box_files("work")))
    eventually(lambda: see(bench).phase is Phase.READY)
    bench.kubelet.idle = True
    return bench


def see(bench):
    return bench.compute.observe(SERVER)


def key(name, kind="pods"):
    return kind, NAMESPACE, name


def change(bench, rank, **status):
    bench.fake.store.change(key(PODS[rank]), status=status)


def is_gone(bench):
    bench.compute.terminate(SERVER)
    return see(bench).presence is Presence.ABSENT


def test_everything_is_made_before_the_pods_and_the_pods_by_rank(bench):
    bench.compute.launch(gang_spec(env={"TOKEN": "hush"}))

    assert bench.writes()[3:] == [
        ("create", "configmaps", ""),
        ("patch", "secrets", f"{NAME}-files"),
        ("patch", "secrets", f"{NAME}-env"),
        ("create", "secrets", ""),
        ("create", "services", ""),
        ("create", "networkpolicies", ""),
        ("create", "pods", ""),
        ("create", "pods", ""),
    ]
    assert [each["metadata"]["name"] for each in bench.pods()] == PODS


def test_we_may_do_what_a_gang_takes(running, eventually):
    running.compute.configure(SERVER, {"notice": b"soon"})
    running.kubelet.idle = False
    eventually(lambda: is_gone(running))

    assert running.asked() <= rights() | {(verb, group, what, False) for verb, group, what, _ in rights()}


def test_all_of_it_goes_with_the_record(running):
    record = running.fake.store.get(key(NAME, "configmaps"))
    made = [*((key(name)) for name in PODS), key(f"{NAME}-gang", "secrets"), key(NAME, "services"),
            key(NAME, "networkpolicies"), key(f"{NAME}-files", "secrets")]  # fmt: skip

    assert [running.fake.store.get(each)["metadata"]["ownerReferences"] for each in made] == [
        names.owned_by(record)
    ] * 6


def test_each_pod_has_its_node_its_slots_its_name_and_its_rank(running):
    found = running.pods()

    wheres = [
        each["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] for each in found
    ]
    assert [where["nodeSelectorTerms"][0]["matchFields"][0]["values"] for where in wheres] == [["node-a"], ["node-c"]]
    assert [(each["spec"]["hostname"], each["spec"]["subdomain"]) for each in found] == [
        ("work-0", NAME),
        ("work-1", NAME),
    ]
    assert [each["metadata"]["annotations"][names.SLOTS] for each in found] == ["0,1,2,3"] * 2
    assert [each["metadata"]["labels"][names.RANK] for each in found] == ["0", "1"]
    envs = [{one["name"]: one["value"] for one in each["spec"]["containers"][0]["env"]} for each in found]
    assert [(env["GPUDEV_RANK"], env["NODE_RANK"], env["GPUDEV_NODES"]) for env in envs] == [
        ("0", "0", "2"),
        ("1", "1", "2"),
    ]
    assert {(env["MASTER_ADDR"], env["MASTER_PORT"]) for env in envs} == {(f"work-0.{NAME}", "29500")}


def test_a_pod_of_a_gang_is_else_as_it_would_be_alone(running):
    spec = gang_spec(files=box_files("work"))
    record = running.fake.store.get(key(NAME, "configmaps"))
    ground = pod.Ground(
        install=INSTALL, settings=running.settings, record=record, resource="nvidia.com/gpu", user_namespaces=False
    )
    alone = pod.manifest(gang.members(spec)[1], ground)
    made = gang.member(alone, spec, 1, running.settings)

    plain = {"hostname", "subdomain", "dnsConfig", "initContainers", "containers", "volumes"}
    assert {name for name in made["spec"] if made["spec"][name] != alone["spec"].get(name)} == plain
    box, before = made["spec"]["containers"][0], alone["spec"]["containers"][0]
    assert {name for name in box if box[name] != before[name]} == {"env", "volumeMounts"}
    assert made["metadata"]["labels"].items() >= alone["metadata"]["labels"].items()
    assert made["metadata"]["finalizers"] == alone["metadata"]["finalizers"]


def test_the_disk_is_on_rank_0_alone(bench):
    bench.compute.launch(gang_spec(mount=DISK))

    homes = [next(one for one in each["spec"]["volumes"] if one["name"] == "home") for each in bench.pods()]
    assert "persistentVolumeClaim" in homes[0]
    assert "emptyDir" in homes[1]


def test_the_service_shows_the_pods_of_this_attempt_before_they_are_ready(running):
    spec = running.fake.store.get(key(NAME, "services"))["spec"]

    labels = running.pods()[0]["metadata"]["labels"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    assert spec["selector"] == {name: labels[name] for name in (names.INSTALL, names.RESERVATION, names.ATTEMPT)}


def test_the_keys_let_the_pods_in_and_the_host_is_known(running):
    data = running.fake.store.get(key(f"{NAME}-gang", "secrets"))["data"]
    content = {name: base64.b64decode(text) for name, text in data.items()}
    record = running.fake.store.get(key(NAME, "configmaps"))["data"]

    public = load_ssh_private_key(content["id_ed25519"], None).public_key()
    assert content["authorized_keys"].startswith(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    assert record["known_hosts"].startswith(f"{NAME} ssh-ed25519 ")
    assert record["hostfile"] == f"work-0.{NAME} slots=4\nwork-1.{NAME} slots=4\n"
    files = base64.b64decode(running.fake.store.get(key(f"{NAME}-files", "secrets"))["data"]["host_key"])
    host = load_ssh_private_key(files, None).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert host.decode() in record["known_hosts"]


def test_a_second_launch_keeps_the_keys(running):
    before = running.fake.store.get(key(f"{NAME}-gang", "secrets"))

    running.again().launch(gang_spec())

    assert running.fake.store.get(key(f"{NAME}-gang", "secrets")) == before
    assert [each["metadata"]["name"] for each in running.pods()] == PODS


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", range(1, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_repeated_makes_one_gang(bench, number, what):
    bench.fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        bench.compute.launch(gang_spec(env={"TOKEN": "hush"}))
    seen = bench.again().observe(SERVER)
    # What came so far asks to be launched again, unless only the answer to the last call was lost.
    whole = len(bench.pods()) == len(PODS)
    assert seen.presence is Presence.ABSENT or seen.incomplete is not whole

    until_done(lambda: bench.compute.launch(gang_spec(env={"TOKEN": "hush"})))

    assert [each["metadata"]["name"] for each in bench.pods()] == PODS
    assert not see(bench).incomplete


@pytest.mark.parametrize("what", ["cut", "lose"])
@pytest.mark.parametrize("number", range(4, LAUNCH + 1))
def test_a_launch_that_fails_at_any_call_and_is_given_up_leaves_nothing(bench, eventually, number, what):
    bench.fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        bench.compute.launch(gang_spec(env={"TOKEN": "hush"}))
    bench.again()

    eventually(lambda: is_gone(bench))

    assert bench.left() == GRAVE
    assert bench.compute.list_servers() == ()


@pytest.mark.parametrize("rank", [0, 1])
def test_it_starts_until_all_are_ready(running, eventually, rank):
    change(running, rank, containerStatuses=[{"name": "box", "state": {"running": {}}, "started": False}])

    eventually(lambda: see(running).phase is Phase.STARTING)
    assert see(running).reason == f"node {rank} ({PEERS[rank].node}): its SSH server starts"
    assert see(running).endpoint is None


@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_has_ended_it_is_finished_and_the_reason_names_rank_and_node(running, eventually, rank):
    change(running, rank, phase="Failed", reason="Evicted", message="the node was low on memory")
    running.fake.store.delete(("nodes", "", PEERS[1 - rank].node))

    eventually(lambda: see(running).phase is Phase.FINISHED)
    assert see(running).reason == f"node {rank} ({PEERS[rank].node}): Evicted: the node was low on memory"


@pytest.mark.parametrize("rank", [0, 1])
def test_while_one_cannot_be_told_nothing_is(running, eventually, rank):
    running.fake.store.delete(("nodes", "", PEERS[rank].node))

    eventually(lambda: see(running).presence is Presence.UNKNOWN)
    assert PEERS[rank].node in see(running).reason


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_somebody_took_away_leaves_the_rest_incomplete(running, eventually, rank):
    running.fake.store.remove(key(PODS[rank]))

    eventually(lambda: see(running).incomplete)
    assert (see(running).presence, see(running).phase) == (Presence.PRESENT, Phase.STARTING)
    assert see(running).reason == "1 of 2 pods are there"


def test_one_that_cannot_be_told_is_said_before_one_that_is_missing():
    pods = [{"metadata": {"annotations": {names.RANK: rank, names.NODES: "3"}}, "spec": {}} for rank in "01"]
    seen = [Sighting(presence=Presence.PRESENT, phase=Phase.READY), Sighting.unknown("node-b does not report")]
    assert gang.together(pods, seen).presence is Presence.UNKNOWN


def test_the_endpoint_is_that_of_rank_0(running, eventually):
    change(running, 1, podIP="10.1.0.8")
    eventually(lambda: running.compute._view._pods.find(PODS[1])["status"]["podIP"] == "10.1.0.8")

    assert see(running).endpoint == "tcp:10.1.0.7:2222"


def test_configuring_reaches_all_and_counts_only_then(running, eventually):
    files = {"notice": b"soon"}
    running.fake.trouble = Nth(3, "cut")
    with pytest.raises(TryLater):
        running.compute.configure(SERVER, files)
    assert see(running).files_digest is None

    running.compute.configure(SERVER, files)

    assert see(running).files_digest == digest_files(files)
    assert {each["metadata"]["annotations"][names.FILES] for each in running.pods()} == {digest_files(files)}


def test_it_is_listed_once(running):
    assert running.compute.list_servers() == (SERVER,)


def test_it_is_gone_when_all_have_let_go(running, eventually):
    def at(name):
        found = running.compute._view._pods.find(name)
        known = running.fake.store.objects.get(key(name))
        return (found or {}).get("metadata") == (known or {}).get("metadata")

    running.compute.terminate(SERVER)
    assert all("deletionTimestamp" in each["metadata"] for each in running.pods())
    running.kubelet.stop(running.fake.store, key(PODS[0]))
    eventually(lambda: all(map(at, PODS)))
    running.compute.terminate(SERVER)
    eventually(lambda: all(map(at, PODS)))

    assert [each["metadata"]["name"] for each in running.pods()] == PODS[1:]
    assert see(running).presence is Presence.PRESENT
    assert key(NAME, "configmaps") in running.fake.store.objects
    running.kubelet.stop(running.fake.store, key(PODS[1]))
    eventually(lambda: is_gone(running))
    assert running.left() == GRAVE


@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_node_cannot_have_it_nothing_is_made(bench, rank):
    peers = tuple(Peer("node-z", ALL_4) if number == rank else peer for number, peer in enumerate(PEERS))

    with pytest.raises(NoCapacity):
        bench.compute.launch(gang_spec(peers=peers, node=peers[0].node))
    assert bench.left() == []


def test_one_that_is_refused_takes_the_others_back_with_it(bench, eventually):
    """A quota that is met by the second pod."""
    spent = (403, "Forbidden", "is forbidden: exceeded quota: gpus, requested: 4, used: 4, limited: 4")
    made = []

    def after_one(call):
        if (call.verb, call.resource) == ("create", "pods"):
            made.append(call)
            if len(made) == 2:
                bench.fake.refuse["create", "pods"] = spent

    bench.fake.trouble = after_one

    with pytest.raises(NoCapacity):
        bench.compute.launch(gang_spec())
    assert see(bench).incomplete
    eventually(lambda: is_gone(bench))
    assert bench.left() == GRAVE


def test_without_policies_of_ours_a_gang_has_none(bench):
    settings = type(bench.settings)(network_policies=False)

    bench.again(settings).launch(gang_spec())

    assert not [name for kind, _, name in bench.fake.store.objects if kind == "networkpolicies"]
