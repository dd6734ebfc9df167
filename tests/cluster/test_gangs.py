"""Gangs on a real cluster: names, keys and SSH among pods that really run, and placement on nodes that are objects only."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.server import Peer, Phase, Presence
from gpudev_sdk.kube import names
from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.kinds import CONFIG_MAP, NETWORK_POLICY, POD, SECRET, SERVICE
from gpudev_sdk.providers import Context
from tests.cluster.boxes import launched, until
from tests.cluster.installs import prepare_on
from tests.cluster.machine.fake_nodes import FakeNode

IMAGES = ("debian", "busybox", "musl")
ALL_8 = tuple(range(8))
SOON = 30.0
REFUSED, NOTHING = "refused", "nothing"


@pytest.fixture(scope="module", params=IMAGES)
def gang(request, place, tmp_path_factory):
    """A gang of two pods that really run, both on the cluster's one real node.

    The planner would never place it so, as a gang takes whole nodes; compute places each peer where it is told. Everything
    else is as on two nodes: each pod has its own address, and they find each other through the cluster's DNS.
    """
    node = place.machine.layout.node if place.machine else None
    wishes = {} if node is None else {"node": node}
    with launched(
        place, tmp_path_factory.mktemp("gang"), image=place.images[request.param], **two(place, **wishes)
    ) as made:
        made.wait()
        yield made


def two(place, node=None, **more):
    """Return the wishes for two pods on one node."""
    where = node or next(iter(place.node_labels.values()))
    return {"node": where, "slots": (0,), "peers": (Peer(where, (0,)), Peer(where, (1,)))} | more


def test_each_reaches_the_other_by_its_short_name(gang):
    assert gang.ssh("/opt/gpudev/bin/busybox hostname").stdout == "box-0\n"
    assert gang.ssh("ssh box-1 /opt/gpudev/bin/busybox hostname").stdout == "box-1\n"
    assert gang.ssh("ssh box-1 ssh box-0 /opt/gpudev/bin/busybox hostname").stdout == "box-0\n"
    assert gang.ssh("ssh box-1 exit 7", ok=False).returncode == 7


def test_the_hostfile_names_all_and_each_is_reached_by_that_name_too(gang):
    lines = gang.ssh("cat /etc/gpudev/hostfile").stdout.splitlines()

    assert lines == [f"box-{rank}.{gang.pod} slots=1" for rank in (0, 1)]
    for rank, line in enumerate(lines):
        assert gang.ssh(f"ssh {line.split()[0]} /opt/gpudev/bin/busybox hostname").stdout == f"box-{rank}\n"


def test_the_host_of_another_is_known_and_no_question_is_asked(gang):
    said = gang.ssh("ssh -v box-1 true", ok=False).stderr

    assert "Are you sure" not in said
    assert "is known and matches" in said


def test_who_one_is_stands_in_the_environment(gang):
    ask = "'echo $GPUDEV_RANK $NODE_RANK $GPUDEV_NODES $MASTER_ADDR $MASTER_PORT'"

    assert gang.ssh(f"ssh box-1 {ask}").stdout == f"1 1 2 box-0.{gang.pod} 29500\n"
    assert gang.ssh(f"eval {ask}").stdout == f"0 0 2 box-0.{gang.pod} 29500\n"


def test_the_first_is_found_by_name_on_any_port(gang):
    gang.ssh("(echo from rank 0 | /opt/gpudev/bin/busybox nc -l -p 29500) >/dev/null 2>&1 &")

    heard = until(
        lambda: gang.ssh("ssh box-1 '/opt/gpudev/bin/busybox nc $MASTER_ADDR 29500 </dev/null'", ok=False).stdout
    )

    assert heard == "from rank 0\n"


@pytest.fixture(scope="module")
def alone(place, tmp_path_factory):
    """A box that is of no gang."""
    if place.machine is None:
        pytest.skip(
            "the cluster is not one that is brought up here: whether its network enforces policies is not known"
        )
    with launched(place, tmp_path_factory.mktemp("alone"), slots=(2,)) as made:
        made.wait()
        yield made


def heard(box, address):
    """Return what a box hears that dials a port on which nobody listens: where packets are lost, nothing."""
    dial = f"/opt/gpudev/bin/busybox timeout 2 /opt/gpudev/bin/busybox nc {address} 29501"
    return REFUSED if "refused" in box.ssh(f"{dial} </dev/null 2>&1", ok=False).stdout else NOTHING


def addresses(place, box):
    selector = names.server_selector(box.install, box.spec.server_id)
    return [pod["status"]["podIP"] for pod in place.api().list(POD, selector).items]


def test_they_get_at_each_other_on_any_port_and_others_neither_at_them_nor_they_at_others(place, gang, alone):
    inside = addresses(place, gang)

    assert [heard(gang, address) for address in inside] == [REFUSED, REFUSED]
    assert [heard(alone, address) for address in inside] == [NOTHING, NOTHING]
    assert [heard(gang, address) for address in addresses(place, alone)] == [NOTHING]


def test_the_key_of_the_gang_cannot_be_changed(gang):
    assert gang.ssh("cat /run/gpudev-gang/id_ed25519").stdout.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert gang.ssh("echo x >> /run/gpudev-gang/authorized_keys", ok=False).returncode != 0


def test_new_files_reach_every_pod(gang):
    files = gang.spec.files | {"notice": b"ends soon\n"}

    gang.compute.configure(gang.spec.server_id, files)

    for words in ("cat /run/gpudev/notice", "ssh box-1 cat /run/gpudev/notice"):
        until(lambda words=words: gang.ssh(words).stdout == "ends soon\n", within=SOON)


def test_nothing_is_left_of_it(place, tmp_path):
    with launched(place, tmp_path, **two(place)) as made:
        made.wait()
        selector = names.server_selector(made.install, made.spec.server_id)
        there = {kind.name: len(place.api().list(kind, selector).items) for kind in (POD, SERVICE, NETWORK_POLICY)}
    kinds = (POD, SERVICE, NETWORK_POLICY, SECRET, CONFIG_MAP)

    assert there == {"Pod": 2, "Service": 1, "NetworkPolicy": 1}
    # The cluster collects what the record owned a moment later.
    until(lambda: not any(place.api().list(kind, selector).items for kind in kinds), within=SOON)


@pytest.fixture
def label():
    """Return a label that only this test's nodes have."""
    return {"gpudev.test/gang": uuid.uuid4().hex[:8]}


@pytest.fixture
def nodes(place, label):
    """Two fake nodes with eight GPUs in one zone."""
    if place.machine is None:
        pytest.skip("missing ability: fake nodes are made on this machine's own cluster alone")
    found = [f"gang-{label['gpudev.test/gang']}-{number}" for number in (0, 1)]
    labels = label | {"topology.kubernetes.io/zone": "z1", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    with place.machine.fake_nodes() as made:
        made.add(*(FakeNode(name=name, gpus=8, labels=labels) for name in found))
        yield found


@pytest.fixture
def settings(place, label):
    """Return settings for these nodes alone, whose types are found."""
    return place.settings(node_labels=label, types={})


def whole(nodes, **more):
    """Return the wishes for two whole nodes."""
    peers = tuple(Peer(node, ALL_8) for node in nodes)
    return {"node": nodes[0], "gpu_type": "h100", "gpus": 8, "slots": ALL_8, "peers": peers} | more


def test_it_is_on_its_nodes_and_they_are_taken(place, settings, tmp_path, nodes):
    with launched(place, tmp_path, settings, **whole(nodes)) as made:
        made.wait()
        pods = place.api().list(POD, names.server_selector(made.install, made.spec.server_id)).items

        assert {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods} == {
            f"{made.pod}-{rank}": node for rank, node in enumerate(nodes)
        }
        until(lambda: made.compute._view.usage().held(nodes[1], "h100") == frozenset(ALL_8), within=SOON)
        assert made.compute.list_servers() == (made.spec.server_id,)


def test_one_that_finds_no_place_keeps_the_whole_from_being_ready_and_all_go(place, settings, tmp_path, nodes):
    with launched(place, tmp_path, settings, **whole(nodes[1:] * 2, slots=ALL_8)) as made:
        # Both want the same node whole: one of them is there, the other never will be.
        seen = until(lambda: (seen := made.see()).reason.find("no place") > 0 and seen, within=SOON)

        assert (seen.presence, seen.phase) == (Presence.PRESENT, Phase.STARTING)
        assert "Insufficient nvidia.com/gpu" in seen.reason
    assert made.see().presence is Presence.ABSENT


def test_a_type_says_that_it_can_be_had_as_a_gang(settings, tmp_path, nodes):
    compute = PodCompute(settings, Context(install_id=uuid.uuid4(), name="gangs", data_folder=tmp_path))
    (kind,) = until(compute.gpu_types)

    assert (kind.name, kind.gang) == ("h100", True)
    assert {node.zone for node in compute.nodes()} == {"z1"}


@pytest.fixture
def lab(place, label, nodes):
    """An install whose backend has these two nodes."""
    made = prepare_on(attrs.evolve(place, node_labels=label))
    made.up()
    yield made
    made.close()


def state_of(lab, name):
    return lab.sql("SELECT state FROM reservation WHERE name = %s ORDER BY seq DESC LIMIT 1", name)[0][0]


def test_a_person_reserves_two_nodes_and_gives_them_back(lab, nodes):
    """The whole way: command line, planner, processor, pods. Nothing runs in the pods of fake nodes, so nobody logs in."""
    until(lambda: "2 whole nodes now" in lab.cli("avail").stdout)
    refused = lab.cli("reserve", "h100:4", "1h", "--nodes", "2", "--no-wait", ok=False)
    lab.cli("reserve", "h100:1", "1h", "--no-disk", "--name", "small", "--no-wait")
    until(lambda: state_of(lab, "small") == "active")
    lab.cli("reserve", "h100:8", "1h", "--nodes", "2", "--no-disk", "--name", "pair", "--no-wait")
    lab.cli("reserve", "h100:8", "1h", "--no-disk", "--name", "young", "--no-wait")
    told = lab.cli("show", "pair").stdout

    assert "takes them whole, and a node has 8" in refused.stderr
    assert "2 nodes with 8 × h100" in told
    # The node that is free is not for the young one, which would still be there when the pair could start.
    assert (state_of(lab, "pair"), state_of(lab, "young")) == ("queued", "queued")
    lab.cli("cancel", "small", "--yes")
    until(lambda: state_of(lab, "pair") == "active")
    shown = lab.cli("show", "pair").stdout
    assert ", ".join(sorted(nodes)) in shown
    assert "ssh pair-1" in shown
    assert len(lab.objects(POD)) == 2
    assert lab.cli("admin", "doctor").returncode == 0

    lab.cli("cancel", "--all", "--yes")
    until(lambda: lab.sql("SELECT count(*) FROM reservation WHERE state <> 'ended'")[0][0] == 0)
    until(lambda: lab.objects(POD, SERVICE, SECRET, CONFIG_MAP) == [], within=SOON)
