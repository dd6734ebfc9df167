"""The public laws of volumes and snapshots over Compute Engine's API, with Google's own client."""

from __future__ import annotations

import contextlib

import pytest

from gpudev_sdk.testing import SnapshotContract, StorageContract
from tests.contract.gcp.bench import NODE, Bench


class OverFake:
    @pytest.fixture
    def here(self, fake, context):
        made = Bench(fake, context=context)
        yield made
        made.close()

    @pytest.fixture
    def node(self):
        return NODE

    @pytest.fixture
    def storage(self, here):
        self.here = here
        return here.storage

    @pytest.fixture
    def other_storage(self, here, other_context):
        return here.again(other_context)

    @contextlib.contextmanager
    def attached(self, mount):
        with self.here.attached(mount.source):
            yield

    def write(self, mount, content):
        self.here.fake.world.content[self.here.disk(mount.source)["id"]] = content

    def read(self, mount):
        return self.here.fake.world.content.get(self.here.disk(mount.source)["id"], b"")


class TestVolumes(OverFake, StorageContract):
    pass


class TestSnapshots(OverFake, SnapshotContract):
    pass


class TestVolumesShownLate(TestVolumes):
    """Where a disk is shown only once it is made."""

    @pytest.fixture
    def here(self, fake, context):
        fake.world.shown_late = True
        fake.world.looks = 6
        made = Bench(fake, context=context)
        yield made
        made.close()
