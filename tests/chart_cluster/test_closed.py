"""What the fences keep out, tried from inside: by a person in a box, by a stranger's pod, by a gateway that was broken into.

A packet that is kept out is lost without a word, so who knocks waits in vain: a port that is merely not served would answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import shlex
import socket

import pytest

from tests.cluster.machine import network

OPEN, REFUSED, NOTHING = "open", "refused", "nothing"
OUTCOMES = {"0": OPEN, "1": REFUSED, "124": NOTHING}
#: Where clouds tell a machine its credentials, and somewhere that is nobody's.
METADATA, INTERNET = ("169.254.169.254", 80), ("203.0.113.7", 443)
SSH, ANY = 2222, 8888
#: Lets a socket have an address that is the host's for pods alone.
IP_TRANSPARENT = 19
KNOCK = """for at in {places}; do
  (timeout 3 bash -c "exec 3<>/dev/tcp/$at" 2>/dev/null; echo "$at $?") &
done; wait"""


def knock(run, places):
    """Try to connect to each place, all at once, by a shell that `run` runs; return what came of it."""
    script = KNOCK.format(places=" ".join(f"{host}/{port}" for host, port in places))
    found = dict(line.split() for line in run(f"bash -c {shlex.quote(script)}").splitlines())
    return {place: OUTCOMES[found[f"{place[0]}/{place[1]}"]] for place in places}


def all_closed(run, places):
    """Tell that nothing comes back from places that are there: the node itself, which no fence keeps out, has an answer."""
    assert NOTHING not in {_node_sees(place) for place in places}
    assert knock(run, places) == dict.fromkeys(places, NOTHING)


def _node_sees(place):
    with socket.socket() as probe:
        probe.settimeout(3)
        try:
            probe.connect(place)
        except ConnectionRefusedError:
            return REFUSED
        except TimeoutError:
            return NOTHING
    return OPEN


@pytest.fixture(scope="module")
def machine(ground):
    if ground.machine is None:
        pytest.skip(
            "the cluster is not one that is brought up here: whether its network enforces policies is not known"
        )
    return ground.machine


@pytest.fixture(scope="module")
def outside(machine):
    """A service of metadata and a server of the internet, which this host plays for its pods."""
    with contextlib.ExitStack() as stack:
        stack.callback(network.pretend_nothing)
        for address, port in (METADATA, INTERNET):
            network.pretend(machine.layout, address)
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
            listener.bind((address, port))
            listener.listen(64)
        yield


@pytest.fixture(scope="module")
def other(machine, kim):
    """The address of a box that the others may not enter."""
    kim.cli("reserve", "h100:1", "1h", "--no-disk", "--name", "other")
    yield kim.ssh("other", "hostname -i").stdout.split()[0]
    kim.cli("cancel", "other", "--wait")


@pytest.fixture(scope="module")
def inside(kim, other):
    """A shell in a box."""
    kim.cli("reserve", "h100:1", "1h", "--no-disk", "--name", "inside")
    yield lambda command: kim.ssh("inside", command).stdout
    kim.cli("cancel", "inside", "--wait")


@pytest.fixture(scope="module")
def stranger(ground, machine):
    """A shell in a pod that is nobody of ours, where no policy holds anybody."""
    where = ("stranger", "--namespace=default")
    ground.kubectl("run", *where, f"--image={ground.images.devserver}", "--command", "--", "sleep", "3600")
    try:
        ground.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{where[0]}", where[1])
        yield lambda command: ground.kubectl("exec", *where, "--", "bash", "-c", command)
    finally:
        ground.kubectl("delete", "pod", *where, "--grace-period=0", "--force")


@pytest.fixture(scope="module")
def gateway(machine, release):
    """A shell in the gateway's pod, as who broke into the one door that is open to everybody would have it."""
    return lambda command: release.kubectl("exec", "deploy/gpu-dev-gateway", "--", "bash", "-c", command)


@pytest.fixture(scope="module")
def parts(machine, release):
    """The address of each part of the control plane."""
    return {part: release.pods(part)[0]["status"]["podIP"] for part in ("api", "processor", "gateway", "postgres")}


@pytest.fixture(scope="module")
def database(release, parts):
    """The database by its pod and by its service."""
    (service,) = [each for each in release.get("services") if each["metadata"]["name"] == "gpu-dev-postgres"]
    return [(parts["postgres"], 5432), (service["spec"]["clusterIP"], 5432)]


def _health(parts):
    """Return the ports of health and metrics."""
    return [(parts["processor"], 7071), (parts["gateway"], 7072), (parts["api"], 7073)]


def _cluster(machine):
    """Return the kubelet and the API server, by its own address and by its service's."""
    layout = machine.layout
    return [(layout.address, layout.kubelet_port), (layout.address, layout.api_port), (layout.service_api, 443)]


def test_a_box_reaches_no_database(inside, database):
    all_closed(inside, database)


def test_a_box_reaches_no_health_or_metrics_of_the_control_plane_and_no_door_from_behind(inside, parts):
    all_closed(inside, [*_health(parts), (parts["api"], 7070), (parts["gateway"], 7022)])


def test_a_box_reaches_neither_the_kubelet_nor_the_clusters_api(inside, machine):
    all_closed(inside, _cluster(machine))


def test_a_box_is_not_told_the_credentials_of_its_machine(inside, outside):
    assert knock(inside, [METADATA]) == {METADATA: NOTHING}


def test_a_box_reaches_no_other_box_be_it_of_the_same_person(inside, other):
    all_closed(inside, [(other, SSH), (other, ANY)])


def test_a_box_finds_no_way_to_another_by_the_addresses_of_ipv6_that_links_have_by_themselves(kim, inside, other):
    (digits,) = [
        line.split()[0] for line in kim.ssh("other", "cat /proc/net/if_inet6").stdout.splitlines() if "eth0" in line
    ]
    place = (f"{ipaddress.IPv6Address(int(digits, 16))}%eth0", SSH)

    assert knock(inside, [place]) == {place: NOTHING}


def test_a_box_knows_names_and_reaches_the_internet(inside, outside, machine):
    assert knock(inside, [INTERNET]) == {INTERNET: OPEN}
    assert machine.layout.service_api in inside("getent hosts kubernetes.default.svc.cluster.local")


def test_a_strangers_pod_reaches_the_public_door_and_nothing_behind_it(stranger, parts, database, other):
    assert knock(stranger, [(parts["api"], 7070)]) == {(parts["api"], 7070): OPEN}
    all_closed(stranger, [*database, *_health(parts), (other, SSH), (other, ANY)])


def test_the_gateway_reaches_the_ssh_of_boxes_and_its_database_alone(gateway, outside, machine, parts, database, other):
    needed = [(other, SSH), *database]

    assert knock(gateway, needed) == dict.fromkeys(needed, OPEN)
    all_closed(gateway, [(other, ANY), (parts["api"], 7070), *_health(parts)[::2], *_cluster(machine)])
    assert knock(gateway, [METADATA, INTERNET]) == {METADATA: NOTHING, INTERNET: NOTHING}


def test_a_part_that_needs_the_clusters_api_gets_no_credentials_of_the_machine(release, outside, machine):
    def processor(command):
        return release.kubectl("exec", "deploy/gpu-dev-processor", "--", "bash", "-c", command)

    needed = (machine.layout.service_api, 443)
    assert knock(processor, [needed, METADATA]) == {needed: OPEN, METADATA: NOTHING}
