"""A fake Compute API. Google's library is loaded once, before a test is timed."""

from __future__ import annotations

import pytest
from google.cloud import compute_v1

from gpudev_gcp import buckets
from tests.contract.gcp.bench import Bench
from tests.contract.gcp.fake_compute import FakeCompute

assert compute_v1


@pytest.fixture
def fake():
    made = FakeCompute()
    yield made
    made.close()


@pytest.fixture
def bench(fake):
    made = Bench(fake)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fresh_buckets(monkeypatch):
    """Each test has its own buckets: the port of a fake may be that of one before."""
    monkeypatch.setattr(buckets, "_buckets", {})
