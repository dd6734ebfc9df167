"""A restored or copied database does no harm: the claim is found out, everything pauses, and somebody has to look."""

from __future__ import annotations

import pathlib
import uuid

import attrs
import pytest

from gpudev_sdk.domain.reservation import State
from gpudev_sdk.domain.server import Claim, ServerId
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.differences import differences
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.errors import Conflict, Paused
from gpudev_services.up.powers import Powers
from tests.fix_engine import build_bench


@pytest.fixture
def powers(bench):
    return Powers(bench.engine, lambda path: None, lambda: None)


def test_the_first_start_takes_what_nobody_has(bench):
    assert bench.memory.claim.control_plane_id == bench.engine.control_plane_id


def test_the_epoch_rises_with_every_start_and_our_table_is_never_behind(bench):
    before = bench.memory.claim.epoch
    Claims(bench.engine).start()
    ours = bench.sql("SELECT epoch FROM backend_claim")[0]["epoch"]
    assert ours == bench.memory.claim.epoch == before + 1


def test_a_crash_between_our_table_and_the_backend_is_no_mismatch(bench):
    bench.sql("UPDATE backend_claim SET epoch = epoch + 1")
    assert Claims(bench.engine).start() == {}


class Killed(BaseException):
    """As by kill -9."""


def test_a_first_start_killed_before_the_backend_was_told_is_no_mismatch(store, tmp_path, monkeypatch):
    bench = build_bench(store, tmp_path)

    def die(compute, new, expected):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(bench.engine.backends["mem"].compute), "write_claim", die)
        for _ in range(2):
            with pytest.raises(Killed):
                Claims(bench.engine).start()
    assert bench.memory.claim is None
    assert Claims(bench.engine).start() == {}
    assert bench.memory.claim.epoch == 3


def test_two_first_starts_at_once_are_no_mismatch(store, tmp_path, monkeypatch):
    bench = build_bench(store, tmp_path)
    compute = bench.engine.backends["mem"].compute
    looks = iter([lambda: Claims(bench.engine).start()])

    def read_claim():
        seen = bench.memory.claim
        for other_start in looks:
            other_start()
        return seen

    monkeypatch.setattr(compute, "read_claim", read_claim)
    assert Claims(bench.engine).start() == {}


def test_a_backend_that_forgot_its_claim_pauses(bench):
    bench.memory.claim = None
    assert "forgotten" in Claims(bench.engine).start()["mem"]


def older(bench):
    """Make the database older than the world, as after a restore."""
    bench.memory.claim = attrs.evolve(bench.memory.claim, epoch=bench.memory.claim.epoch + 7)


def test_a_restored_database_starts_paused(bench):
    older(bench)
    assert "older than what it controls" in Claims(bench.engine).start()["mem"]


def test_a_copied_database_of_another_control_plane_starts_paused(bench, store, tmp_path):
    copy = build_bench(store, tmp_path / "copy", memory=bench.memory, control_plane_id=uuid.UUID(int=6))
    assert "another control plane" in copy.claims.start()["mem"]


def test_another_installs_backend_is_not_touched(bench):
    foreign = Claim(install_id=uuid.UUID(int=9), control_plane_id=uuid.UUID(int=9), epoch=1)
    bench.memory.claim = foreign
    Claims(bench.engine).start()
    assert bench.memory.claim == foreign


def test_nothing_is_done_while_paused(bench, kim):
    made = bench.submit(kim)
    older(bench)
    bench.claims.start()
    bench.work(made)
    assert bench.row(made).state is State.QUEUED
    with pytest.raises(Paused):
        Claims(bench.engine).before_effect("mem")


def test_no_box_is_ended_while_paused(bench, kim):
    made = bench.submit(kim)
    bench.work(made)
    older(bench)
    paused = Claims(bench.engine)
    paused.start()
    bench.processor.acts.claims = paused
    bench.cancel(kim, made)
    bench.work(made)
    assert len(bench.memory.servers) == 1


def test_tokens_of_before_are_void_at_once_and_only_once(bench):
    era = bench.sql("SELECT era FROM install")[0]["era"]
    older(bench)
    Claims(bench.engine).start()
    Claims(bench.engine).start()
    assert bench.sql("SELECT era FROM install")[0]["era"] == era + 1


def test_the_differences_name_what_each_side_does_not_know(bench, kim):
    made = bench.submit(kim, disk="work")
    bench.work(made)
    stranger = ServerId(uuid.uuid4(), 1)
    bench.memory.servers[stranger] = next(iter(bench.memory.servers.values()))
    del bench.memory.servers[ServerId(made, 1)]
    bench.memory.volumes.clear()

    found = [difference.what for difference in differences(bench.engine, bench.engine.backends["mem"])]
    assert [str(stranger) in what for what in found] == [True, False, False]
    assert str(made) in found[1]
    assert "volume" in found[2]


def test_adopting_goes_on_and_kills_no_box_of_unknown_owner(bench, kim, powers):
    stranger = ServerId(uuid.uuid4(), 1)
    made = bench.submit(kim)
    bench.work(made)
    bench.memory.servers[stranger] = next(iter(bench.memory.servers.values()))
    older(bench)
    bench.claims.start()
    powers.adopt("mem")

    assert Claims(bench.engine).start() == {}
    bench.work(made)
    assert stranger in bench.memory.servers
    assert bench.row(made).state is State.ACTIVE


def test_the_digest_of_the_differences_changes_with_them(bench, powers):
    before = powers.differences("mem")[2]
    assert powers.differences("mem")[2] == before
    bench.memory.servers[ServerId(uuid.uuid4(), 1)] = None
    assert powers.differences("mem")[2] != before


def test_a_backup_never_overwrites_a_file(powers, tmp_path):
    (tmp_path / "there").write_text("x")
    with pytest.raises(Conflict):
        powers.backup(str(tmp_path / "there"))
    assert pathlib.Path(tmp_path / "there").read_text() == "x"


def test_a_paused_backend_is_no_room_for_the_planner(bench, kim):
    older(bench)
    bench.claims.start()
    Inventory(bench.engine).take()
    made = bench.submit(kim)
    assert bench.plan() == 0
    assert bench.row(made).state is State.QUEUED
