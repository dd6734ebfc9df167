"""A change rolls the pods that read it, and no others."""

from __future__ import annotations

import pytest

ALL = {"api", "processor", "gateway", "postgres"}


@pytest.mark.parametrize(
    ("value", "rolled"),
    [
        ("config.limits.max_hours=12", {"api", "processor", "gateway"}),
        # What a CronJob runs with is read when it runs.
        ("postgres.primary.parameters.work_mem=8MB,reservationExpiry.schedule=*/2 * * * *", {"postgres"}),
    ],
    ids=["limits", "postgres and schedule"],
)
def test_it_rolls_exactly_those_that_read_it(release, value, rolled):
    before = release.steady()
    release.upgrade("--set", value, "--wait")
    release.until_ready()
    after = release.steady()

    assert {name for name in ALL if before[name] != after[name]} == rolled


def test_what_changed_is_what_people_see(kim):
    kim.back()
    done = kim.cli("reserve", "h100:1", "13h", "--no-disk", "--name", "long", "--no-wait", ok=False)

    assert done.returncode != 0
    assert "12 h" in done.stderr
