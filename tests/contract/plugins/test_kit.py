"""The contract suites themselves: each way to break a law fails the test that names it, and only lawful ones pass."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SUITE = """
from __future__ import annotations
import time, uuid, attrs, pytest
import pathlib, shutil
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage
from gpudev_sdk.domain.server import ServerId, Sighting
from gpudev_sdk.domain.user import Identity
from gpudev_sdk.errors import NotFound
from gpudev_sdk.testing import ComputeContract, IdentityContract, SnapshotContract, StorageContract

class Over(ComputeContract):
    patience = 0.2
    budget = 0.2
    kind = ExampleCompute
    @pytest.fixture
    def compute(self, context): return self.kind(ExampleSettings(), context)
    @pytest.fixture
    def other_compute(self, compute, other_context): return compute

class Twice(ExampleCompute):
    def list_servers(self): return tuple(self._files) * 2
class TestTwice(Over): kind = Twice

class Forgetful(ExampleCompute):
    def terminate(self, server_id): self._files.pop(server_id, None)
class TestForgetful(Over): kind = Forgetful

class Slow(ExampleCompute):
    def launch(self, spec): time.sleep(0.5); super().launch(spec)
class TestSlow(Over): kind = Slow

class Loud(ExampleCompute):
    def terminate(self, server_id):
        if server_id not in self._files: raise NotFound
        super().terminate(server_id)
class TestLoud(Over): kind = Loud

class Eager(ExampleCompute):
    def launch(self, spec): super().launch(attrs.evolve(spec, node="shelf"))
class TestEager(Over): kind = Eager

class Greedy(ExampleCompute):
    def write_claim(self, new, expected): self._claim = new
class TestGreedy(Over): kind = Greedy

class Deaf(ExampleCompute):
    def configure(self, server_id, files): pass
class TestDeaf(Over): kind = Deaf

class Guessing(ExampleCompute):
    def observe(self, server_id): return Sighting.unknown("no idea") if server_id not in self._files \\
        else super().observe(server_id)
class TestGuessing(Over): kind = Guessing

class OverDisks:
    patience = 0.2
    kind = ExampleStorage
    @pytest.fixture
    def storage(self, context): return self.kind(ExampleSettings(), context)
    def write(self, mount, content): pathlib.Path(mount.source, "word").write_bytes(content)
    def read(self, mount):
        word = pathlib.Path(mount.source, "word")
        return word.read_bytes() if word.exists() else b""

class Anybodys(ExampleStorage):
    def mount(self, volume):
        seen = next((each for each in self._ours.glob(f"volumes/{volume.volume_id}_*")), None)
        if seen is None: return super().mount(volume)
        return attrs.evolve(super().mount(attrs.evolve(volume, disk_id=uuid.UUID(seen.name[37:]))), disk_id=volume.disk_id)
class TestAnybodys(OverDisks, StorageContract): kind = Anybodys

class Obliging(ExampleStorage):
    def mount(self, volume): self._folder(volume).mkdir(parents=True, exist_ok=True); return super().mount(volume)
class TestObliging(OverDisks, StorageContract): kind = Obliging

class Hoarding(ExampleStorage):
    def delete_volume(self, volume): pass
class TestHoarding(OverDisks, StorageContract): kind = Hoarding

class Empty(ExampleStorage):
    def create_volume_from_snapshot(self, spec, snapshot): return self.create_volume(spec)
class TestEmpty(OverDisks, SnapshotContract): kind = Empty

class Linked(ExampleStorage):
    def _copy(self, source, target):
        target.parent.mkdir(exist_ok=True); target.symlink_to(source); return target.name
class TestLinked(OverDisks, SnapshotContract): kind = Linked

class Again(ExampleStorage):
    def _copy(self, source, target): shutil.rmtree(target, ignore_errors=True); return super()._copy(source, target)
class TestAgain(OverDisks, SnapshotContract): kind = Again

class Trusting(ExampleIdentity):
    def verify_credentials(self, credentials, challenge): return Identity(subject="anyone")
class TestTrusting(IdentityContract):
    @pytest.fixture
    def identity(self, context): return Trusting(ExampleSettings(word="w" * 20), context)

class Anywhere(ExampleIdentity):
    def _proof(self, challenge): return super()._proof(attrs.evolve(challenge, audience=""))
class TestAnywhere(IdentityContract):
    @pytest.fixture
    def identity(self, context): return Anywhere(ExampleSettings(word="w" * 20), context)
"""


BROKEN = [
    ("TestTwice", "test_launching_twice_is_launching_once"),
    ("TestForgetful", "test_a_terminated_server_is_not_launched_again"),
    ("TestSlow", "test_launching_returns_within_the_budget"),
    ("TestLoud", "test_terminating_an_unknown_server_is_silent"),
    ("TestEager", "test_a_server_that_cannot_fit_is_refused_and_leaves_nothing"),
    ("TestGreedy", "test_a_claim_is_replaced_only_by_who_knows_it"),
    ("TestDeaf", "test_configuring_replaces_the_files_whole"),
    ("TestGuessing", "test_a_server_never_launched_is_absent"),
    ("TestAnybodys", "test_a_volume_of_another_disk_cannot_be_mounted"),
    ("TestObliging", "test_a_volume_that_is_not_there_cannot_be_mounted"),
    ("TestHoarding", "test_a_deleted_volume_becomes_absent_and_unlisted"),
    ("TestEmpty", "test_a_restored_disk_has_the_snapshots_bytes"),
    ("TestEmpty", "test_a_restore_without_its_snapshot_is_refused_and_makes_nothing"),
    ("TestLinked", "test_a_snapshot_keeps_what_the_volume_was_then"),
    ("TestAgain", "test_restoring_twice_is_restoring_once"),
    ("TestTrusting", "test_a_tampered_proof_is_refused"),
    ("TestTrusting", "test_a_proof_for_another_nonce_is_refused"),
    ("TestAnywhere", "test_a_proof_for_another_audience_is_refused"),
    ("TestDeaf", "test_another_installs_servers_are_neither_listed_nor_ended"),
]


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Return which tests failed, by class, of those that should and of all of one class."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_broken.py").write_text(SUITE)
    wanted = [f"test_broken.py::{name}::{test}" for name, test in BROKEN]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", "test_broken.py::TestDeaf", *wanted],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    found: dict[str, set[str]] = {}
    for name, test in re.findall(r"^(?:FAILED|ERROR) .*::(\w+)::(\w+)", done.stdout, re.MULTILINE):
        found.setdefault(name, set()).add(test)
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize(("broken", "test"), BROKEN)
def test_a_broken_law_fails_the_test_that_names_it(failed, broken, test):
    assert test in failed[broken]


def test_what_is_not_broken_does_not_fail(failed):
    """Beside the law of other installs, for which every one of them is given itself."""
    assert failed["TestDeaf"] == {
        "test_configuring_replaces_the_files_whole",
        "test_another_installs_servers_are_neither_listed_nor_ended",
    }
