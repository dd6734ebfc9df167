"""The claim file: whole or not there, and replaced only by who knows it."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import textwrap
import uuid

import attrs
import pytest

from gpudev_sdk.domain.server import Claim
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.local import claim

FIRST = Claim(install_id=uuid.UUID(int=1), control_plane_id=uuid.UUID(int=2), epoch=1)


def test_where_nobody_ever_claimed_there_is_none(tmp_path):
    assert claim.read(tmp_path) is None


def test_a_claim_is_read_back(tmp_path):
    claim.write(tmp_path, FIRST, None)

    assert claim.read(tmp_path) == FIRST


def test_a_claim_is_for_our_eyes_only(tmp_path):
    claim.write(tmp_path, FIRST, None)

    assert (tmp_path / "claim.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("expected", [None, attrs.evolve(FIRST, epoch=7)])
def test_a_claim_is_not_replaced_by_who_expects_another(tmp_path, expected):
    claim.write(tmp_path, FIRST, None)

    with pytest.raises(Conflict):
        claim.write(tmp_path, attrs.evolve(FIRST, epoch=2), expected)

    assert claim.read(tmp_path) == FIRST


def test_of_many_who_replace_it_at_once_one_succeeds(tmp_path):
    claim.write(tmp_path, FIRST, None)
    program = textwrap.dedent(f"""
        import pathlib, uuid
        from gpudev_sdk.domain.server import Claim
        from gpudev_sdk.errors import Conflict
        from gpudev_sdk.local import claim
        here = pathlib.Path("{tmp_path}")
        old = Claim(install_id=uuid.UUID(int=1), control_plane_id=uuid.UUID(int=2), epoch=1)
        try:
            claim.write(here, Claim(install_id=old.install_id, control_plane_id=uuid.uuid4(), epoch=2), old)
            print("mine")
        except Conflict:
            print("theirs")
    """)
    many = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]

    answers = [process.communicate()[0].strip() for process in many]

    assert sorted(answers) == ["mine", "theirs", "theirs", "theirs"]


def test_a_claim_is_compared_and_replaced_under_one_lock(tmp_path, monkeypatch):
    read, held = claim.read, []

    def looking(folder):
        with (folder / "claim.json.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(folder)
        return read(folder)

    monkeypatch.setattr(claim, "read", looking)

    claim.write(tmp_path, FIRST, None)

    assert held == [tmp_path]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"install_id": 1}', "null"])
def test_a_damaged_claim_is_no_absent_one(tmp_path, text):
    (tmp_path / "claim.json").write_text(text)

    with pytest.raises(Unworkable, match="damaged"):
        claim.read(tmp_path)


def test_a_claim_that_cannot_be_read_is_no_absent_one(tmp_path):
    (tmp_path / "claim.json").mkdir()

    with pytest.raises(TryLater):
        claim.read(tmp_path)
