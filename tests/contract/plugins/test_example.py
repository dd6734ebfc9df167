"""The public laws over the smallest plugin, installed as a distribution of its own, with all that the suites can be given."""

from __future__ import annotations

import contextlib
import pathlib
import uuid

import pytest
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage

from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract, SnapshotContract, StorageContract

WORD = "open sesame"


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, context):
        return ExampleCompute(ExampleSettings(), context)

    @pytest.fixture
    def other_compute(self, other_context):
        return ExampleCompute(ExampleSettings(), other_context)


class Disks:
    @pytest.fixture
    def storage(self, context):
        self.boxes = ExampleCompute(ExampleSettings(), context)
        return ExampleStorage(ExampleSettings(), context)

    @pytest.fixture
    def other_storage(self, other_context):
        return ExampleStorage(ExampleSettings(), other_context)

    def write(self, mount, content):
        pathlib.Path(mount.source, "word").write_bytes(content)

    def read(self, mount):
        return pathlib.Path(mount.source, "word").read_bytes()


class TestStorage(Disks, StorageContract):
    @contextlib.contextmanager
    def attached(self, mount):
        server_id = ServerId(uuid.uuid4(), 1)
        spec = ServerSpec(server_id=server_id, name="box", owner_number=1, owner="ada", node="shelf", gpu_type="example",
                          slots=(0,), gpus=1, mount=mount)  # fmt: skip
        self.boxes.launch(spec)
        yield
        self.boxes.terminate(server_id)


class TestSnapshots(Disks, SnapshotContract):
    def test_half_of_a_copy_is_none(self, storage, volume, snapshot, monkeypatch):
        """A copy that was cut off is absent, and is begun again with the same id (law 4.1)."""
        half = next(path for path in storage._ours.glob("snapshots/*"))
        storage._ours.joinpath("half").mkdir(exist_ok=True)
        half.rename(storage._ours / "half" / half.name)

        assert storage.get_snapshot(snapshot).presence == "absent"
        assert storage.list_snapshots() == ()


class TestIdentity(IdentityContract):
    @pytest.fixture
    def secret(self):
        return WORD

    @pytest.fixture
    def identity(self, context):
        return ExampleIdentity(ExampleSettings(word=WORD), context)

    @pytest.fixture
    def wrong(self, context):
        return ExampleIdentity(ExampleSettings(word="open barley"), context)

    def test_another_word_is_refused(self, identity, wrong, challenge):
        with pytest.raises(Exception, match="not signed in"):
            identity.verify_credentials(wrong.get_caller_identity(challenge), challenge)


class TestPlugin(PluginContract):
    entry_point = "example"
