"""Spot nodes, and nodes that are taken back, by what a cluster says of them."""

from __future__ import annotations

import pytest

from gpudev_gcp.compute import GcpCompute
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.spot import TAINT, why_taken
from gpudev_sdk.testing import SpotContract
from tests.unit.kube.bench import H100, _new
from tests.unit.kube.fake_api import FakeApi
from tests.unit.kube.objects import node

SPOT = {"cloud.google.com/gke-spot": "true"}
PREEMPTIBLE = {"cloud.google.com/gke-preemptible": "true"}
DOWN = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "node is shutting down"}


class SpotCompute(GcpCompute):
    """Compute whose cluster is the fake."""

    def __init__(self, fake, settings, context) -> None:
        super().__init__(settings, context)
        self._fake = fake

    def connect(self):
        return self._fake.api(self._settings.namespace)

    def stop(self) -> None:
        self._view.stop()


@pytest.fixture
def fake():
    made = FakeApi()
    for each in (
        node("kept", gpus=4, labels=H100),
        node("spot", gpus=4, labels=H100 | SPOT),
        node("old", labels=PREEMPTIBLE),
    ):
        made.store.create(("nodes", "", each["metadata"]["name"]), _new(each, "Node"))
    yield made
    made.close()


class TestSpot(SpotContract):
    @pytest.fixture
    def spot(self, fake, context):
        self.fake = fake
        made = SpotCompute(fake, GcpSettings(project="my-lab-123456"), context)
        yield made
        made.stop()

    def interrupt(self, name):
        key = ("nodes", "", name)
        taint = {"key": TAINT, "effect": "NoSchedule"}
        self.fake.store.merge(key, {"spec": {"taints": [taint]}})

    def test_both_kinds_of_machines_that_can_be_taken_are_named(self, spot):
        assert spot.spot_nodes() == ("old", "spot")

    def test_a_node_that_is_not_ours_is_not_named(self, fake, context):
        compute = SpotCompute(fake, GcpSettings(project="my-lab-123456", node_labels=SPOT), context)

        assert compute.spot_nodes() == ("spot",)
        compute.stop()

    def test_a_node_whose_taint_settings_tolerate_takes_nobody_in(self, fake, context):
        self.fake = fake
        compute = SpotCompute(fake, GcpSettings(project="my-lab-123456", tolerations=[TAINT]), context)
        self.interrupt("spot")

        seen = {each.name: (each.schedulable, each.reason) for each in compute.nodes()}

        assert seen["spot"] == (False, "it is taken back: Google takes the machine back")
        assert seen["kept"] == (True, "")
        compute.stop()


def tainted(labels: dict | None = None, key: str = TAINT) -> dict:
    return node("n", labels=labels or {}) | {"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}}


def with_ready(condition: dict, labels: dict | None = None) -> dict:
    return node("n", labels=labels or {}) | {"status": {"conditions": [condition]}}


def test_a_machine_that_is_no_spot_can_be_stopped_for_maintenance():
    assert "maintenance" in why_taken(tainted())
    assert "takes the machine back" in why_taken(tainted(SPOT))


def test_another_taint_takes_nothing_back():
    assert why_taken(tainted(SPOT, "nvidia.com/gpu")) == ""


def test_a_spot_node_whose_kubelet_shuts_down_is_being_taken_back():
    assert "shutting down" in why_taken(with_ready(DOWN, SPOT))


@pytest.mark.parametrize(
    "item",
    [
        with_ready(DOWN),
        with_ready(DOWN | {"message": "container runtime is down"}, SPOT),
        with_ready(DOWN | {"status": "True"}, SPOT),
        with_ready(DOWN | {"type": "MemoryPressure"}, SPOT),
        with_ready(DOWN, {"cloud.google.com/gke-spot": "false"}),
        {"metadata": {"name": "bare"}},
    ],
)
def test_a_node_in_other_trouble_is_not(item):
    assert why_taken(item) == ""
