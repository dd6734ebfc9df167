"""The public laws of storage over moto's EC2."""

from __future__ import annotations

import contextlib

import pytest

from gpudev_sdk.testing import SnapshotContract, StorageContract


class OverMoto:
    patience = 10.0

    @pytest.fixture
    def node(self, cloud):
        return cloud.node

    @pytest.fixture
    def storage(self, make, context, cloud):
        self.cloud = cloud
        return make(context)

    @pytest.fixture
    def other_storage(self, make, other_context):
        return make(other_context)

    @contextlib.contextmanager
    def attached(self, mount):
        asked = {"VolumeId": mount.source.partition("/")[2], "InstanceId": self.cloud.instance}
        self.cloud.ec2.attach_volume(Device="/dev/sdf", **asked)
        yield
        self.cloud.ec2.detach_volume(**asked)


class TestStorage(OverMoto, StorageContract):
    pass


class TestSnapshots(OverMoto, SnapshotContract):
    """EC2 shows no content, so the proxy carries it from volume to snapshot to volume, by what the storage asks for."""

    @pytest.fixture
    def storage(self, make, context, weather):
        self.content = weather.content
        return make(context)

    def write(self, mount, content):
        self.content[mount.source.partition("/")[2]] = content

    def read(self, mount):
        return self.content.get(mount.source.partition("/")[2], b"")
