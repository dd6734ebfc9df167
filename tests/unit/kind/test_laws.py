"""The public laws of storage over a fake API server, and a node that runs the real script on real folders."""

from __future__ import annotations

import contextlib

import pytest

from gpudev_sdk.testing import SnapshotContract, StorageContract
from tests.unit.kind.conftest import NODE


class Folders:
    patience = 3.0

    """Content is written and read where the claim's volume says that it lies."""

    @pytest.fixture
    def node(self):
        return NODE

    @pytest.fixture
    def storage(self, make, context, fake, machine):
        self.fake, self.on = fake, machine
        return make(context)

    @pytest.fixture
    def other_storage(self, make, other_context):
        return make(other_context)

    @contextlib.contextmanager
    def attached(self, mount):
        key = ("pods", "gpu-dev", "user")
        volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": mount.source}}]
        self.fake.store.create(key, {"kind": "Pod", "metadata": {}, "spec": {"volumes": volumes}})
        yield
        self.fake.store.delete(key)

    def write(self, mount, content):
        (self._home(mount) / "content").write_bytes(content)

    def read(self, mount):
        path = self._home(mount) / "content"
        return path.read_bytes() if path.exists() else b""

    def _home(self, mount):
        path = self.fake.store.get(("persistentvolumes", "", mount.source))["spec"]["hostPath"]["path"]
        return self.on.disks / path.removeprefix("/var/lib/gpudev/")


class TestStorage(Folders, StorageContract):
    pass


class TestSnapshots(Folders, SnapshotContract):
    pass
