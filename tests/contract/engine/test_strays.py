"""What runs without a row that wants it: stopped where our own rows say that it is over, reported where nobody knows it."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.doctor import examine
from gpudev_sdk.engine.orphans import sweep_strays
from gpudev_sdk.errors import TryLater


def place(bench, server_id):
    """Have a server run that nobody asked for now."""
    bench.memory.servers[server_id] = (bench.memory.launches[0], {})


@pytest.fixture
def ended(bench, kim):
    """A reservation that is over."""
    made = bench.submit(kim)
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)
    return made


def test_a_box_of_a_reservation_that_is_over_is_stopped(bench, ended):
    place(bench, ServerId(ended, 1))
    sweep_strays(bench.engine, bench.claims)
    assert bench.memory.servers == {}


def test_a_box_of_an_older_attempt_is_stopped(bench, kim, ended):
    made = bench.submit(kim)
    bench.work(made)
    place(bench, ServerId(made, 0))
    sweep_strays(bench.engine, bench.claims)
    assert list(bench.memory.servers) == [ServerId(made, 1)]


def test_a_box_that_no_row_knows_is_reported_and_never_stopped(bench, ended):
    unknown = ServerId(uuid.uuid4(), 1)
    place(bench, unknown)
    sweep_strays(bench.engine, bench.claims)
    assert list(bench.memory.servers) == [unknown]
    assert any(finding.law == "I-8" and str(unknown) in finding.what for finding in examine(bench.engine).findings)


def test_volumes_and_snapshots_that_no_row_knows_are_reported_and_never_removed(bench, ended):
    volume, snapshot = uuid.uuid4(), uuid.uuid4()
    bench.memory.volumes[volume] = "somebody's"
    bench.memory.snapshots[snapshot] = bench.memory.snapshot_state
    sweep_strays(bench.engine, bench.claims)
    said = " ".join(finding.what for finding in examine(bench.engine).findings)
    assert str(volume) in said
    assert str(snapshot) in said
    assert bench.memory.volumes == {volume: "somebody's"}
    assert list(bench.memory.snapshots) == [snapshot]


def test_too_many_at_once_are_a_mistake_and_none_is_stopped(bench, kim):
    made = [bench.submit(kim, gpu_type="cpu", gpus=0) for _ in range(6)]
    for row in made:
        bench.work(row)
        bench.cancel(kim, row)
        bench.work(row)
        place(bench, ServerId(row, 1))
    sweep_strays(bench.engine, bench.claims)
    assert len(bench.memory.servers) == 6


def test_a_list_that_failed_stops_nothing(bench, ended, monkeypatch):
    place(bench, ServerId(ended, 1))

    def broken():
        raise TryLater("the list broke off")

    monkeypatch.setattr(bench.engine.backends["mem"].compute, "list_servers", broken)
    sweep_strays(bench.engine, bench.claims)
    assert list(bench.memory.servers) == [ServerId(ended, 1)]


def test_nothing_is_stopped_on_a_paused_backend(bench, ended):
    place(bench, ServerId(ended, 1))
    bench.sql("UPDATE backend_claim SET paused = 'restored'")
    bench.claims._raised.clear()
    sweep_strays(bench.engine, bench.claims)
    assert list(bench.memory.servers) == [ServerId(ended, 1)]
