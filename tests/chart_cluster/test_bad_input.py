"""What operators get wrong: each is told, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.chart_cluster.release import CHART, Release
from tests.fix_install import until


@pytest.fixture
def other(ground):
    """A release of its own that nobody installed yet."""
    made = Release(
        ground=ground, name="odd", control="odd-controlplane", boxes="odd-boxes",
        here={"namespaces": {"controlplane": "odd-controlplane", "workloads": "odd-boxes", "privileged": "odd-root"}},
    )  # fmt: skip
    yield made
    made.remove()


def test_a_secret_that_nobody_made_is_named_where_its_readers_wait(other):
    words = ("--set=secrets.existingSecret=ours", "--timeout=5s")
    said = other.helm("install", CHART, f"--values={other.values}", *words, ok=False)

    assert "timed out" in said
    until(lambda: any('secret "ours" not found' in message for message in _told(other)), within=30)


def _told(release):
    return [event["message"] for event in release.ground.get("events", f"--namespace={release.control}")]


def test_a_value_of_the_wrong_kind_makes_nothing(other):
    said = other.helm("install", CHART, "--set=apiService.replicas=two", ok=False)

    assert "apiService" in said and "replicas" in said
    assert not other.ground.get("namespace", other.control)


def test_plain_http_for_everybody_is_refused_with_what_to_say(other):
    words = ("--set=apiService.service.type=LoadBalancer", "--set=apiService.tls.selfSigned=false")
    said = other.helm("install", CHART, *words, ok=False)

    assert "plain HTTP" in said and "allowPlainHttp" in said
