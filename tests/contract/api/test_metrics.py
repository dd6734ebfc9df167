"""`/metrics`: a number for every law, what is live and what is held, and only for the owner of the install."""

from __future__ import annotations

import threading
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpudev_sdk import clock
from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.check import ELSEWHERE
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.pool import Store
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
    assert set(laws) == {f"I-{number}" for number in range(1, 22)} - set(ELSEWHERE)
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


def test_work_whose_time_has_come_is_as_old_as_it_waits(api, bench, kim):
    assert scraped(api)["gpudev_oldest_due_seconds", "reservation"] < 5
    row = bench.submit(kim, gpus=1)
    bench.sql("UPDATE reservation SET wake_at = gpudev_now() - interval '10 minutes' WHERE id = %s", row)
    seen = scraped(api)
    assert 600 <= seen["gpudev_oldest_due_seconds", "reservation"] < 660
    assert seen["gpudev_oldest_due_seconds", "disk"] == 0


def test_a_plan_is_overdue_only_while_another_one_is_wanted(api, bench):
    bench.sql("UPDATE planner SET wanted = 7, planned = 7, made_at = gpudev_now() - interval '1 hour'")
    assert scraped(api)["gpudev_plan_overdue_seconds",] == 0
    bench.sql("UPDATE planner SET wanted = 8")
    assert scraped(api)["gpudev_plan_overdue_seconds",] >= 3600


def test_a_place_without_processors_shows_by_what_nobody_counts(api, bench):
    bench.sql("UPDATE served SET updated_at = gpudev_now() - interval '5 minutes'")
    assert 300 <= scraped(api)["gpudev_served_age_seconds",] < 360


def test_a_backend_that_is_away_or_paused_is_told_by_name(api, bench):
    bench.sql("UPDATE inventory SET seen_at = gpudev_now() - interval '1 hour', trouble = 'no answer'")
    bench.sql("UPDATE backend_claim SET paused = 'it was restored'")
    seen = scraped(api)
    assert seen["gpudev_backend_seen_age_seconds", "mem"] >= 3600
    assert (seen["gpudev_backend_trouble", "mem"], seen["gpudev_backend_paused", "mem"]) == (1, 1)


def test_a_backend_that_is_not_configured_any_more_is_not_told(api, bench):
    bench.sql("INSERT INTO inventory (backend, seen_at) VALUES ('gone', gpudev_now() - interval '1 year')")
    assert ("gpudev_backend_seen_age_seconds", "gone") not in scraped(api)


def test_what_asks_for_a_person_is_counted_by_what_it_is(api, bench, kim):
    row = bench.submit(kim, gpus=1)
    bench.sql("UPDATE reservation SET needs_attention = 'look' WHERE id = %s", row)
    seen = scraped(api)
    assert (seen["gpudev_attention", "reservation"], seen["gpudev_attention", "disk"]) == (1, 0)


def test_a_snapshot_that_never_completes_is_as_old_as_its_request(api, bench, kim):
    assert scraped(api)["gpudev_oldest_open_snapshot_seconds",] == 0
    bench.sql(
        "WITH d AS (INSERT INTO disk (id, owner_id, name, size_bytes) VALUES (gen_random_uuid(), %s, 'd', 1) RETURNING id),"
        " v AS (INSERT INTO volume (id, disk_id, backend, node, state) SELECT gen_random_uuid(), id, 'mem', 'n', 'ready'"
        " FROM d RETURNING id, disk_id) INSERT INTO snapshot (id, disk_id, volume_id, backend, state, reason, requested_at)"
        " SELECT gen_random_uuid(), disk_id, id, 'mem', 'pending', 'asked', gpudev_now() - interval '2 hours' FROM v",
        kim.id,
    )
    assert scraped(api)["gpudev_oldest_open_snapshot_seconds",] >= 7200


def test_tables_are_weighed_without_being_counted(api):
    seen = scraped(api)
    assert seen["gpudev_table_bytes", "reservation"] > 0
    assert {("gpudev_table_rows", kind, "a_work") for kind in ("live", "dead")} <= set(seen)


def test_while_the_database_is_away_that_is_what_is_told():
    away = Store("host=127.0.0.1 port=9 user=nobody dbname=none", max_size=1)
    away.open()
    try:
        text = metrics.Figures(away, certificate_end=lambda: 5.0).text().decode()
    finally:
        away.close()
    assert 'gpudev_database_up{service="api"} 0.0' in text
    assert "gpudev_certificate_expiry_timestamp_seconds 5.0" in text
    assert "gpudev_reservations" not in text


def test_a_loop_that_is_late_is_told_by_name(bench, later):
    figures = metrics.Metrics(bench.engine, "processor", lambda: {"planner": 7.0})
    assert 'gpudev_loop_late_seconds{loop="planner"} 7.0' in figures.text().decode()


def test_a_backend_that_hangs_holds_up_one_reading_and_the_next_one_has_the_laws_of_before(bench, later, monkeypatch):
    figures = metrics.Metrics(bench.engine, "processor")
    assert "gpudev_invariant_violations" in figures.text().decode()
    hangs, released = threading.Event(), threading.Event()

    def diagnose(engine):
        hangs.set()
        assert released.wait(30)
        raise Unavailable("it gave up")

    monkeypatch.setattr(doctor, "diagnose", diagnose)
    later(metrics.FRESH + 1)
    held_up = threading.Thread(target=figures.text)
    held_up.start()
    try:
        assert hangs.wait(30)
        text = figures.text().decode()
    finally:
        released.set()
        held_up.join(30)
    assert "gpudev_invariant_violations" in text
    assert "gpudev_reservations" in text
