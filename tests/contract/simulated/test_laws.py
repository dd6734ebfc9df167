"""The public laws over the simulated cloud: where everything works at once, and where it takes its time."""

from __future__ import annotations

import contextlib

import attrs
import pytest

from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.testing import ComputeContract, IdentityContract, SnapshotContract, StorageContract, Weather
from gpudev_sdk.testing.cloud import CloudNode, SimulatedCompute, SimulatedIdentity, SimulatedStorage
from tests.contract.simulated.simulated import Simulated

#: Two alike in one zone.
NODES = tuple(CloudNode(name=name, slots={"h100": 8, "cpu": 4}) for name in ("node-a", "node-b"))


class OverCompute(Simulated, ComputeContract):
    @pytest.fixture
    def compute(self, settings, context):
        return SimulatedCompute(settings, context)

    @pytest.fixture
    def other_compute(self, settings, other_context):
        return SimulatedCompute(settings, other_context)


class OverStorage(Simulated):
    """Content is what a server writes, so a server is there to write."""

    @pytest.fixture
    def node(self):
        return "node-a"

    @pytest.fixture
    def storage(self, settings, context):
        return SimulatedStorage(settings, context)

    @pytest.fixture
    def other_storage(self, settings, other_context):
        return SimulatedStorage(settings, other_context)

    @pytest.fixture(autouse=True)
    def _server(self, cloud, settings, context, settle):
        self.cloud, self.settle_it = cloud, settle
        self.compute = SimulatedCompute(settings, context)
        self.attempts = 0

    @contextlib.contextmanager
    def attached(self, mount):
        self.attempts += 1
        server_id = ServerId(mount.volume_id, self.attempts)
        spec = ServerSpec(
            server_id=server_id, name="writer", owner_number=1, owner="ada", node="node-a", gpu_type="cpu", slots=(0,),
            gpus=0, mount=mount,
        )  # fmt: skip
        self.compute.launch(spec)
        self.settle_it(lambda: any(s.server_id == server_id and s.running for s in self.cloud.servers()))
        try:
            yield server_id
        finally:
            self.compute.terminate(server_id)
            self.settle_it(lambda: all(volume.attached != server_id for volume in self.cloud.volumes()))

    def write(self, mount, content):
        with self.attached(mount) as server_id:
            self.cloud.write(server_id, content.decode())

    def read(self, mount):
        """Return the last marker, which is what `write` put there."""
        with self.attached(mount) as server_id:
            content = next(seen.content for seen in self.cloud.mounts if seen.server_id == server_id)
        return content[-1].encode() if content else b""


class OverIdentity(Simulated, IdentityContract):
    @pytest.fixture
    def secret(self):
        return "a word that only ada knows"

    @pytest.fixture
    def identity(self, cloud, settings, context, secret):
        cloud.people["ada"] = secret
        cloud.people["bob"] = "another word"
        return SimulatedIdentity(settings, context)

    def test_another_person_is_another_subject(self, identity, cloud, settings, context, challenge):
        other = SimulatedIdentity(attrs.evolve(settings, person="bob"), context)

        subjects = {one.verify_credentials(one.get_caller_identity(challenge), challenge).subject
                    for one in (identity, other)}  # fmt: skip

        assert len(subjects) == 2


class TestComputeInCalmWeather(OverCompute):
    pass


class TestComputeInSlowWeather(OverCompute):
    weather = Weather.slow()


class TestGangsInCalmWeather(OverCompute):
    nodes = NODES


class TestGangsInSlowWeather(OverCompute):
    weather, nodes = Weather.slow(), NODES


class TestVolumesInCalmWeather(OverStorage, StorageContract):
    pass


class TestVolumesInSlowWeather(OverStorage, StorageContract):
    weather = Weather.slow()


class TestSnapshotsInCalmWeather(OverStorage, SnapshotContract):
    pass


class TestSnapshotsInSlowWeather(OverStorage, SnapshotContract):
    weather = Weather.slow()


class TestIdentity(OverIdentity):
    pass
