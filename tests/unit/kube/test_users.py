"""Who uses a claim, and which claims were seen to be left."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.users import HOLDS, Departures
from tests.unit.kube.objects import merged, placed, pod

USES = {"volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}]}
USER = merged(placed("Running"), {"spec": USES})
OVER = merged(placed("Succeeded"), {"spec": USES})


@pytest.fixture
def departures(passing):
    return Departures()


def test_a_claim_that_was_never_used_was_not_left(departures):
    departures.take(None, pod())
    departures.take(pod(), None)

    assert not departures.saw_last_of("home")


@pytest.mark.parametrize("now", [None, OVER], ids=["its pod is gone", "its pod has ended"])
def test_a_claim_whose_user_went_was_left(departures, now):
    departures.take(None, USER)
    assert not departures.saw_last_of("home")

    departures.take(USER, now)

    assert departures.saw_last_of("home")
    assert not departures.saw_last_of("other")


def test_a_user_that_only_changes_has_not_left(departures):
    departures.take(None, USER)
    departures.take(USER, USER)

    assert not departures.saw_last_of("home")


def test_a_claim_that_is_used_again_was_not_left(departures):
    departures.take(USER, None)
    departures.take(None, USER)

    assert not departures.saw_last_of("home")


def test_that_a_claim_was_left_is_believed_for_a_minute(departures, passing):
    departures.take(USER, None)

    passing(HOLDS - 1)
    assert departures.saw_last_of("home")
    passing(2)
    assert not departures.saw_last_of("home")
