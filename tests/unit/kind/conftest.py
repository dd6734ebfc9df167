"""A fake API server with one node, which works on real folders."""

from __future__ import annotations

import json
import uuid

import pytest

from gpudev_kind.settings import KindSettings
from gpudev_kind.storage import KindStorage
from gpudev_sdk.domain.disk import VolumeRef, VolumeSpec
from gpudev_sdk.providers import Context
from tests.unit.kind.fake_kind import FakeKind
from tests.unit.kind.node import Node
from tests.unit.kube.fake_api import FakeApi

NODE = "gpudev-control-plane"


@pytest.fixture
def fake():
    made = FakeApi()
    for name in (NODE, "gpudev-worker"):
        labels = {"kubernetes.io/hostname": name}
        made.store.create(
            ("nodes", "", name), {"kind": "Node", "metadata": {"labels": labels}, "spec": {}, "status": {}}
        )
    yield made
    made.close()


@pytest.fixture
def machine(fake, tmp_path):
    (tmp_path / "node").mkdir()
    made = Node(tmp_path / "node" / "disks")
    fake.store.controllers.append(made)
    return made


@pytest.fixture
def settings():
    return KindSettings(free_floor_bytes=0, tools_image="tools")


class Storage(KindStorage):
    """Reaches the fake instead of a cluster."""

    fake: FakeApi

    def connect(self, namespace):
        return self.fake.api(namespace)


@pytest.fixture
def make(fake, machine, settings):
    """Return what makes a storage of an install."""

    def storage(context, chosen=None):
        made = Storage(chosen or settings, context)
        made.fake = fake
        return made

    return storage


@pytest.fixture
def context(tmp_path):
    return Context(install_id=uuid.UUID(int=7), name="kind", data_folder=tmp_path)


@pytest.fixture
def storage(make, context):
    return make(context)


@pytest.fixture
def spec():
    return VolumeSpec(volume_id=uuid.uuid4(), disk_id=uuid.uuid4(), owner_number=1, size_bytes=2**30, node=NODE)


@pytest.fixture
def volume(spec):
    return VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)


@pytest.fixture
def kind(tmp_path, monkeypatch):
    """A program `kind`, and nothing else, on the PATH."""
    (tmp_path / "bin").mkdir()
    made = FakeKind(tmp_path / "bin")
    made.write()
    monkeypatch.setenv("PATH", str(made.folder))
    return made


@pytest.fixture
def kubeconfig(fake, tmp_path):
    """A kubeconfig of the fake API server, with the context that kind would have made."""
    path = tmp_path / "kubeconfig"
    named = {"name": "kind-gpudev"}
    plain = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "kind-gpudev",
        "clusters": [named | {"cluster": {"server": fake.address}}],
        "users": [named | {"user": {}}],
        "contexts": [named | {"context": {"cluster": "kind-gpudev", "user": "kind-gpudev"}}],
    }
    path.write_text(json.dumps(plain))
    return path
