"""Two hundred requests for the 160 GPUs of twenty nodes: each gets its own, the rest wait, and nothing is left in the end."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections import Counter

import attrs
import pytest

from gpudev_sdk.kube.kinds import CONFIG_MAP, POD, SECRET
from tests.cluster.installs import prepare_on
from tests.cluster.machine.fake_nodes import FakeNode
from tests.fix_install import until

NODES, GPUS, REQUESTS = 20, 8, 200


@pytest.fixture
def fleet(place):
    if place.machine is None:
        pytest.skip("missing ability: fake nodes are made on this machine's own cluster alone")
    label = {"gpudev.test/many": uuid.uuid4().hex[:8]}
    with place.machine.fake_nodes() as made:
        made.add(
            *(FakeNode(name=f"many-{label['gpudev.test/many']}-{n:02}", gpus=GPUS, labels=label) for n in range(NODES))
        )
        lab = prepare_on(attrs.evolve(place, node_labels=label))
        lab.up()
        yield lab
        lab.close()


def test_two_hundred_requests_for_what_twenty_nodes_have(fleet):
    def submit(number):
        fleet.cli("reserve", "h100:1", "1h", "--no-disk", "--name", f"r{number}", "--no-wait")

    with concurrent.futures.ThreadPoolExecutor(4) as people:
        list(people.map(submit, range(REQUESTS)))
    until(lambda: states(fleet)["active"] == NODES * GPUS, within=120)

    assert states(fleet) == {"active": NODES * GPUS, "queued": REQUESTS - NODES * GPUS}
    pods = fleet.place.api().list(POD, f"gpudev.io/install={fleet.install_id}").items
    places = Counter((pod["spec"]["nodeName"], pod["metadata"]["annotations"]["gpudev.io/slots"]) for pod in pods)
    assert len(places) == NODES * GPUS
    assert max(places.values()) == 1
    assert fleet.cli("admin", "doctor").returncode == 0

    fleet.cli("cancel", "--all", "--yes")
    until(lambda: set(states(fleet)) == {"ended"}, within=120)
    until(lambda: fleet.objects(POD, SECRET, CONFIG_MAP) == [], within=10)


def states(lab):
    """Count reservations by state."""
    return Counter(dict(lab.sql("SELECT state, count(*) FROM reservation GROUP BY state")))
