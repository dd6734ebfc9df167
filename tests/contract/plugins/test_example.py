"""The public laws over the smallest plugin, installed as a distribution of its own, with all that the suites can be given."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import uuid

import pytest
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotSpec
from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ComputeContract, IdentityContract, PluginContract, SnapshotContract, StorageContract

WORD = "open sesame"


class TestCompute(ComputeContract):
    provider = ExampleCompute


class TestStorage(StorageContract):
    provider = ExampleStorage

    @pytest.fixture
    def storage(self, context):
        self.boxes = ExampleCompute(ExampleSettings(), context)
        return self.build(context)

    @contextlib.contextmanager
    def attached(self, mount):
        server_id = ServerId(uuid.uuid4(), 1)
        spec = ServerSpec(server_id=server_id, name="box", owner_number=1, owner="ada", node="shelf", gpu_type="example",
                          slots=(0,), gpus=1, mount=mount)  # fmt: skip
        self.boxes.launch(spec)
        yield
        self.boxes.terminate(server_id)

    def test_a_volume_is_free_when_its_box_has_ended(self, storage, volume):
        with self.attached(storage.mount(volume)):
            pass

        assert storage.get_volume(volume).attachments == ()
        storage.delete_volume(volume)


class TestSnapshots(SnapshotContract):
    provider = ExampleStorage

    def test_half_of_a_copy_is_none(self, storage, volume, settle, monkeypatch):
        """A copy that was cut off is absent, and is begun again with the same id (law 4.1)."""
        self.write(storage.mount(volume), b"precious")
        spec = SnapshotSpec(snapshot_id=uuid.uuid4(), volume=volume, owner_number=1)
        ref = SnapshotRef(snapshot_id=spec.snapshot_id, disk_id=volume.disk_id)

        def cut_off(source, target):
            target.mkdir(parents=True)
            raise OSError("the power is gone")

        with monkeypatch.context() as patch, pytest.raises(OSError, match="power"):
            patch.setattr(shutil, "copytree", cut_off)
            storage.create_snapshot(spec)

        assert storage.get_snapshot(ref).presence == "absent"
        assert storage.list_snapshots() == ()
        self.take(storage, spec, settle)


class TestIdentity(IdentityContract):
    provider = ExampleIdentity
    settings = ExampleSettings(word=WORD)

    @pytest.fixture
    def secret(self):
        return WORD

    @pytest.fixture
    def wrong(self, context):
        return ExampleIdentity(ExampleSettings(word="open barley"), context)

    def test_another_word_is_refused(self, identity, wrong, challenge):
        with pytest.raises(Exception, match="not signed in"):
            identity.verify_credentials(wrong.get_caller_identity(challenge), challenge)


def test_a_login_without_a_word_lets_nobody_in(tmp_path):
    challenge = Challenge(nonce="n" * 40, expires_at=dt.datetime.now(dt.UTC), audience="https://lab:7070")
    context = Context(install_id=uuid.uuid4(), name="word", data_folder=tmp_path)
    open_to_all = ExampleIdentity(ExampleSettings(), context)

    with pytest.raises(NotSignedIn):
        open_to_all.verify_credentials(open_to_all.get_caller_identity(challenge), challenge)


class TestPlugin(PluginContract):
    entry_point = "example"
