"""The public laws of compute, over the fake API server, with what this plugin adds to pods of any cluster."""

from __future__ import annotations

import pytest

from gpudev_gcp.compute import GcpCompute
from gpudev_gcp.settings import GcpSettings
from gpudev_sdk.testing import ComputeContract
from tests.contract.gcp.fake_compute_world import PROJECT
from tests.unit.kube.bench import H100, Bench, _new
from tests.unit.kube.fake_api import FakeApi
from tests.unit.kube.objects import node


class OverFakeApi(GcpCompute):
    """Compute whose cluster is the fake."""

    def __init__(self, api: FakeApi, context) -> None:
        super().__init__(GcpSettings(project=PROJECT), context)
        self._fake = api

    def connect(self):
        return self._fake.api(self._settings.namespace)


class TestCompute(ComputeContract):
    @pytest.fixture
    def api(self):
        made = FakeApi()
        yield made
        made.close()

    @pytest.fixture
    def here(self, api, context):
        made = Bench(api, context=context)
        yield made
        made.stop()

    @pytest.fixture
    def compute(self, here, context):
        made = OverFakeApi(here.fake, context)
        yield made
        made._view.stop()

    @pytest.fixture
    def other_compute(self, here, other_context, compute):
        made = OverFakeApi(here.fake, other_context)
        yield made
        made._view.stop()

    def test_the_place_says_in_which_project_it_is(self, compute):
        assert compute.describe()["project"] == PROJECT


class TestComputeWithAPair(TestCompute):
    """With two nodes alike in one zone, so that the laws of gangs are tried."""

    @pytest.fixture
    def compute(self, here, context):
        here.fake.store.create(("nodes", "", "node-c"), _new(node("node-c", gpus=4, labels=H100), "Node"))
        made = OverFakeApi(here.fake, context)
        yield made
        made._view.stop()
