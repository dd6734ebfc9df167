"""`/metrics`: a number for every law, what is live and what is held, and only for the owner of the install."""

from __future__ import annotations

import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpudev_sdk import clock
from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.check import ELSEWHERE
from gpudev_services.api import metrics


@pytest.fixture
def later():
    """A monotonic clock that a test moves."""
    moments = [100.0]
    clock.install(lambda: moments[0])
    yield lambda seconds: moments.__setitem__(0, moments[0] + seconds)
    clock.install(None)


def scraped(api):
    """Return the values by name and labels."""
    answer = api.client().get("/v1/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_every_law_that_can_be_checked_has_its_gauge(api):
    laws = {name[1]: value for name, value in scraped(api).items() if name[0] == "gpudev_invariant_violations"}
    assert set(laws) == {f"I-{number}" for number in range(1, 21)} - set(ELSEWHERE)
    assert set(laws.values()) == {0}


def test_a_violation_is_counted_by_its_law(api, bench):
    bench.memory.volumes[uuid.uuid4()] = "whose?"
    bench.memory.volumes[uuid.uuid4()] = "and this?"
    assert scraped(api)["gpudev_invariant_violations", "I-8"] == 2


def test_what_waits_for_a_person_is_counted(api, bench):
    bench.sql("UPDATE inventory SET seen_at = gpudev_now() - interval '1 hour'")
    seen = scraped(api)
    assert [seen["gpudev_findings", kind] for kind in doctor.STANDING] == [0, 0, 1]


def test_what_is_live_and_held_is_counted(api, bench, kim):
    made = [bench.submit(kim, gpus=gpus) for gpus in (2, 8)]
    bench.work(*made)
    seen = scraped(api)
    states = {state: seen["gpudev_reservations", state] for state in ("queued", "preparing", "active", "stopping")}
    assert states == {"queued": 1, "preparing": 0, "active": 1, "stopping": 0}
    assert [seen["gpudev_slots", "mem", "h100", use] for use in ("total", "held", "free")] == [8, 2, 6]


def test_the_laws_are_looked_at_once_a_minute_however_often_it_is_scraped(api, bench, later):
    assert scraped(api)["gpudev_invariant_violations", "I-8"] == 0
    bench.memory.volumes[uuid.uuid4()] = "whose?"
    later(metrics.FRESH - 1)
    assert scraped(api)["gpudev_invariant_violations", "I-8"] == 0
    later(2)
    assert scraped(api)["gpudev_invariant_violations", "I-8"] == 1


def test_nobody_else_may_scrape(api, lee, kim):
    assert api.client("wide").get("/v1/metrics").status_code == 401
    for person in (lee, kim):
        answer = api.client("wide", user=person).get("/v1/metrics")
        assert answer.status_code == 403
        assert "gpudev_" not in answer.text.replace("gpudev_services", "")
