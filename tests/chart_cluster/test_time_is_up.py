"""Time is up: a box ends by itself, and the CronJob is the second pair of eyes."""

from __future__ import annotations

import re

import pytest

from tests.fix_install import until

DUE = "SELECT count(*) FROM reservation WHERE wake_at <= now() AND state = 'active'"


@pytest.fixture(scope="module")
def swept(release, kim):
    """What one run of the CronJob says while there is no processor and a box is due to be looked at."""
    kim.back()
    kim.cli("reserve", "h100:1", "1h", "--no-disk", "--name", "watched")
    release.kubectl("scale", "deployment/gpu-dev-processor", "--replicas=0")
    try:
        until(lambda: not release.pods("processor") and int(release.sql(DUE)), within=60)
        release.kubectl("create", "job", "by-hand", "--from=cronjob/gpu-dev-expiry")
        release.kubectl("wait", "job/by-hand", "--for=condition=complete", "--timeout=60s")
        return release.kubectl("logs", "job/by-hand")
    finally:
        release.kubectl("delete", "job", "by-hand", "--ignore-not-found")
        release.kubectl("scale", "deployment/gpu-dev-processor", "--replicas=1")


def test_what_is_due_is_found_by_the_cronjob_while_no_processor_lives(swept):
    assert int(re.search(r"(\d+) due", swept).group(1)) >= 1, swept


def test_the_processor_that_comes_back_goes_on(kim, swept):
    kim.cli("cancel", "watched", "--wait")

    assert kim.json("show", "watched")["end_reason"] == "cancelled"


def test_a_box_whose_time_is_up_ends_and_its_disk_is_kept(kim, brief):
    until(lambda: kim.state(brief) == "ended", within=400, every=1)

    assert kim.json("show", brief)["end_reason"] == "expired"
    assert brief in [disk["name"] for disk in kim.json("disk", "list")["items"]]


def test_the_cronjob_has_run_by_itself(release):
    # Events, since of its jobs only the last is kept, which may be the one that was made by hand above.
    reason = "--field-selector=reason=SawCompletedJob,involvedObject.name=gpu-dev-expiry"

    def ran():
        seen = [each["message"] for each in release.ground.get("events", f"--namespace={release.control}", reason)]
        return [message for message in seen if "gpu-dev-expiry-" in message]

    assert [message for message in until(ran, within=90) if "condition: Complete" not in message] == []
