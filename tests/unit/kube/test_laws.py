"""The public laws of compute and storage over the fake cluster, whose kubelet and provisioner do their part at once."""

from __future__ import annotations

import contextlib

import pytest

from gpudev_sdk.testing import ComputeContract, SnapshotContract, StorageContract
from tests.unit.kube.bench import H100, Bench, _new
from tests.unit.kube.fake_api import NAMESPACE
from tests.unit.kube.objects import node


class OverFake:
    """A bench whose install is the suite's."""

    @pytest.fixture
    def here(self, fake, context):
        made = Bench(fake, context=context)
        yield made
        made.stop()


class TestCompute(OverFake, ComputeContract):
    @pytest.fixture
    def compute(self, here):
        return here.compute

    @pytest.fixture
    def other_compute(self, here, other_context, compute):
        return here.again(context=other_context)


class TestComputeWithAPair(TestCompute):
    """With two nodes alike in one zone, so that the laws of gangs are tried."""

    @pytest.fixture
    def compute(self, here):
        here.fake.store.create(("nodes", "", "node-c"), _new(node("node-c", gpus=4, labels=H100), "Node"))
        return here.compute


class OverDisks(OverFake):
    @pytest.fixture
    def storage(self, here):
        self.here = here
        return here.storage

    @pytest.fixture
    def other_storage(self, here, other_context, storage):
        here.again(context=other_context)
        return here.storage

    @contextlib.contextmanager
    def attached(self, mount):
        volume = {"name": "home", "persistentVolumeClaim": {"claimName": mount.source}}
        key = ("pods", NAMESPACE, "user")
        self.here.fake.store.create(key, {"kind": "Pod", "metadata": {}, "spec": {"volumes": [volume]}})
        yield
        self.here.fake.store.delete(key)

    def write(self, mount, content):
        self.here.disks.content[self._uid(mount)] = content

    def read(self, mount):
        return self.here.disks.content.get(self._uid(mount), b"")

    def _uid(self, mount):
        return self.here.fake.store.get(("persistentvolumeclaims", NAMESPACE, mount.source))["metadata"]["uid"]


class TestVolumes(OverDisks, StorageContract):
    pass


class TestSnapshots(OverDisks, SnapshotContract):
    pass
