"""Looking at a backend: what could not be seen stays as it was, and takes nothing new only where it was seen to be gone."""

from __future__ import annotations

import pytest

from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.errors import TryLater


def slots(bench):
    return bench.sql("SELECT gpu_type, count(*) AS n FROM gpu_slot WHERE present GROUP BY gpu_type ORDER BY gpu_type")


@pytest.mark.parametrize("blind", ["nodes", "gpu_types"])
def test_a_backend_that_cannot_be_seen_keeps_what_it_had(bench, monkeypatch, blind):
    before = slots(bench)
    assert before

    def broken():
        raise TryLater("the line is cut")

    monkeypatch.setattr(bench.engine.backends["mem"].compute, blind, broken)
    Inventory(bench.engine).take()
    assert slots(bench) == before
    assert bench.sql("SELECT schedulable FROM node")[0]["schedulable"]
    assert "the line is cut" in bench.sql("SELECT trouble FROM inventory")[0]["trouble"]


def test_a_node_that_is_gone_takes_nothing_new_and_its_box_keeps_its_slots(bench, kim, monkeypatch):
    made = bench.submit(kim, gpus=2)
    bench.work(made)
    monkeypatch.setattr(bench.engine.backends["mem"].compute, "nodes", lambda: ())
    Inventory(bench.engine).take()
    assert slots(bench) == []
    assert not bench.sql("SELECT schedulable FROM node")[0]["schedulable"]
    assert bench.row(made).slots == (0, 1)
