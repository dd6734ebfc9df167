"""The public laws of disks on a real project: `pytest -m cloud tests/contract/gcp/test_cloud.py`.

`GCP_PROJECT` and `GCP_ZONE` say where; `GCP_INSTANCE`, a running machine in that zone, lets the law of attached disks be tried.
Every test is an install of its own, and what carries its id is deleted at the end, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid

import pytest

from gpudev_gcp import marks, snapshots, volumes
from gpudev_gcp.operations import Operations
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.domain.disk import VolumeSpec
from gpudev_sdk.errors import TryLater
from gpudev_sdk.testing import SnapshotContract, StorageContract

pytestmark = pytest.mark.cloud
#: How long a disk may take to be let go of.
_LONGEST = 300.0


def given(name):
    """Return what the environment says; skip without it."""
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(f"missing ability: {name} is not set, so there is no account to try it on")
    return value


def clean(session, install):
    """Delete what carries an install's id, until nothing does."""
    operations = Operations(session)
    kinds = volumes.Volumes(session, operations, install), snapshots.Snapshots(session, operations, install)

    def nothing_left():
        left = [(kind, each) for kind in kinds for each in kind.all()]
        for kind, each in left:
            with contextlib.suppress(TryLater):
                kind.delete(each)
        return not left

    until(nothing_left)


def until(is_so):
    """Wait for the cloud: the only waiting there is here."""
    deadline = time.monotonic() + _LONGEST
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(1.0)


class OverGoogle:
    budget = 20.0
    patience = 300.0

    @pytest.fixture
    def session(self):
        made = Session(GcpSettings(project=given("GCP_PROJECT"), zones=[given("GCP_ZONE")]))
        yield made
        made.close()

    @pytest.fixture
    def storage(self, session, context):
        self.session = session
        yield GcpStorage(session.settings, context, session)
        clean(session, context.install_id)

    @pytest.fixture
    def other_storage(self, session, other_context):
        return GcpStorage(session.settings, other_context, session)

    @pytest.fixture
    def spec(self):
        return VolumeSpec(
            volume_id=uuid.uuid4(),
            disk_id=uuid.uuid4(),
            owner_number=1,
            size_bytes=2**30,
            node="",
            zone=given("GCP_ZONE"),
        )

    @contextlib.contextmanager
    def attached(self, mount):
        place = {"zone": given("GCP_ZONE"), "instance": given("GCP_INSTANCE")}
        source, name = mount.source.partition("/")[2], mount.source.rpartition("/")[2]
        instances = self.session.instances
        body = {"source": source, "device_name": name[-32:]}
        self.session.write("attach", instances.attach_disk_unary, attached_disk_resource=body, **place)
        until(lambda: self._disk(name).users)
        yield
        self.session.write("detach", instances.detach_disk_unary, device_name=name[-32:], **place)
        until(lambda: not self._disk(name).users)

    def write(self, mount, content):
        """Do without: a disk's content is written by a machine that mounts it."""

    def read(self, mount):
        pytest.skip("missing ability: no machine mounts the disk to read it")

    def _disk(self, name):
        (found,) = [
            disk
            for page in self.session.pages("look", self.session.disks.aggregated_list, filter=marks.by_name(name))
            for part in page.items.values()
            for disk in part.disks
        ]
        return found


class TestVolumes(OverGoogle, StorageContract):
    pass


class TestSnapshots(OverGoogle, SnapshotContract):
    pass
