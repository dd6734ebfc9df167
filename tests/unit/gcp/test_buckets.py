"""How often an API is asked."""

from __future__ import annotations

import pytest

from gpudev_gcp.buckets import Bucket, bucket


def test_what_is_in_the_bucket_is_taken_at_once():
    limits = Bucket(rate=2.0, size=3.0)

    assert [limits.take(10.0, 5.0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_of_an_empty_bucket_each_waits_for_its_own_token():
    limits = Bucket(rate=2.0, size=1.0)
    limits.take(10.0, 5.0)

    assert [limits.take(10.0, 5.0) for _ in range(3)] == [0.5, 1.0, 1.5]


def test_who_would_wait_longer_takes_nothing():
    limits = Bucket(rate=1.0, size=1.0)
    limits.take(10.0, 1.5)
    limits.take(10.0, 1.5)

    assert limits.take(10.0, 1.5) is None
    assert limits.take(11.0, 1.5) == pytest.approx(1.0)


def test_a_bucket_fills_with_time_and_never_over_its_size():
    limits = Bucket(rate=10.0, size=2.0)
    for _ in range(2):
        limits.take(0.0, 0.0)

    assert [limits.take(1000.0, 0.0) for _ in range(3)] == [0.0, 0.0, None]


def test_a_clock_that_steps_back_gives_nothing_and_takes_nothing():
    limits = Bucket(rate=1.0, size=1.0)
    limits.take(100.0, 5.0)

    assert limits.take(50.0, 5.0) == 1.0


def test_all_of_a_process_share_the_bucket_of_one_api_project_and_endpoint():
    key = ("compute", "shared-lab-1", "")

    assert bucket(key, 5.0) is bucket(key, 9.0)
    assert bucket(key, 5.0) is not bucket(("container", "shared-lab-1", ""), 5.0)
    assert bucket(key, 5.0).size == 10.0
