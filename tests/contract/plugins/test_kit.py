"""The contract suites themselves: each way to break a law fails the test that names it, and only lawful ones pass."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SUITE = """
from __future__ import annotations
import shutil, time, uuid, attrs
from gpudev_example.providers import ExampleCompute, ExampleIdentity, ExampleSettings, ExampleStorage
from gpudev_sdk.domain.server import ServerId, Sighting
from gpudev_sdk.domain.user import Identity
from gpudev_sdk.errors import NotFound
from gpudev_sdk.testing import ComputeContract, IdentityContract, SnapshotContract, StorageContract

class Over(ComputeContract):
    patience = 0.2
    budget = 0.2

class Twice(ExampleCompute):
    def list_servers(self): return tuple(self._files) * 2
class TestTwice(Over): provider = Twice

class Forgetful(ExampleCompute):
    def terminate(self, server_id): self._files.pop(server_id, None)
class TestForgetful(Over): provider = Forgetful

class Slow(ExampleCompute):
    def launch(self, spec): time.sleep(0.5); super().launch(spec)
class TestSlow(Over): provider = Slow

class Loud(ExampleCompute):
    def terminate(self, server_id):
        if server_id not in self._files: raise NotFound
        super().terminate(server_id)
class TestLoud(Over): provider = Loud

class Eager(ExampleCompute):
    def launch(self, spec): super().launch(attrs.evolve(spec, node="shelf"))
class TestEager(Over): provider = Eager

class Greedy(ExampleCompute):
    def write_claim(self, new, expected): self._claim = new
class TestGreedy(Over): provider = Greedy

class Deaf(ExampleCompute):
    def configure(self, server_id, files): pass
class TestDeaf(Over): provider = Deaf

class Guessing(ExampleCompute):
    def observe(self, server_id): return Sighting.unknown("no idea") if server_id not in self._files \\
        else super().observe(server_id)
class TestGuessing(Over): provider = Guessing

class OverDisks:
    patience = 0.2

class Anybodys(ExampleStorage):
    def mount(self, volume):
        seen = next((each for each in self._ours.glob(f"volumes/{volume.volume_id}_*")), None)
        if seen is None: return super().mount(volume)
        return attrs.evolve(super().mount(attrs.evolve(volume, disk_id=uuid.UUID(seen.name[37:]))), disk_id=volume.disk_id)
class TestAnybodys(OverDisks, StorageContract): provider = Anybodys

class Obliging(ExampleStorage):
    def mount(self, volume): self._folder(volume).mkdir(parents=True, exist_ok=True); return super().mount(volume)
class TestObliging(OverDisks, StorageContract): provider = Obliging

class Hoarding(ExampleStorage):
    def delete_volume(self, volume): pass
class TestHoarding(OverDisks, StorageContract): provider = Hoarding

class Empty(ExampleStorage):
    def create_volume_from_snapshot(self, spec, snapshot): return self.create_volume(spec)
class TestEmpty(OverDisks, SnapshotContract): provider = Empty

class Linked(ExampleStorage):
    def _copy(self, source, target):
        target.parent.mkdir(exist_ok=True); target.symlink_to(source); return target.name
class TestLinked(OverDisks, SnapshotContract): provider = Linked

class Again(ExampleStorage):
    def _copy(self, source, target): shutil.rmtree(target, ignore_errors=True); return super()._copy(source, target)
class TestAgain(OverDisks, SnapshotContract): provider = Again

class OverLogin(IdentityContract):
    settings = ExampleSettings(word="w" * 20)

class Trusting(ExampleIdentity):
    def verify_credentials(self, credentials, challenge): return Identity(subject="anyone")
class TestTrusting(OverLogin): provider = Trusting

class Anywhere(ExampleIdentity):
    def _proof(self, challenge): return super()._proof(attrs.evolve(challenge, audience=""))
class TestAnywhere(OverLogin): provider = Anywhere

class OneShelf(ExampleStorage):
    def __init__(self, settings, context): super().__init__(settings, attrs.evolve(context, install_id=uuid.UUID(int=1)))
class TestOneShelf(OverDisks, StorageContract): provider = OneShelf

class OneRoom(ExampleCompute):
    files = {}
    def __init__(self, settings, context): super().__init__(settings, context); self._files = self.files
class TestOneRoom(Over): provider = OneRoom

class TestNobody(Over): pass
"""


BROKEN = [
    ("TestTwice", "test_launching_twice_is_launching_once"),
    ("TestForgetful", "test_a_terminated_server_is_not_launched_again"),
    ("TestSlow", "test_launching_returns_within_the_budget"),
    ("TestLoud", "test_terminating_an_unknown_server_is_silent"),
    ("TestEager", "test_a_server_that_cannot_fit_is_refused_and_leaves_nothing"),
    ("TestGreedy", "test_a_claim_is_replaced_only_by_who_knows_it"),
    ("TestDeaf", "test_configuring_replaces_the_files_whole"),
    ("TestGuessing", "test_looking_breaks_no_law[2.5 a server never launched is absent]"),
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
    ("TestOneRoom", "test_another_installs_servers_are_neither_listed_nor_ended"),
    ("TestOneShelf", "test_another_installs_volume_is_not_touched"),
    ("TestNobody", "test_looking_breaks_no_law[2.5 a server never launched is absent]"),
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
    for name, test in re.findall(r"^(?:FAILED|ERROR) .*::(\w+)::(\w+(?:\[.*?\])?)", done.stdout, re.MULTILINE):
        found.setdefault(name, set()).add(test)
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize(("broken", "test"), BROKEN)
def test_a_broken_law_fails_the_test_that_names_it(failed, broken, test):
    assert test in failed[broken]


def test_what_is_not_broken_does_not_fail(failed):
    assert failed["TestDeaf"] == {"test_configuring_replaces_the_files_whole"}
