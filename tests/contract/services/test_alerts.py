"""Alerts and dashboards of the chart name nothing but what services really tell, and each alert has its runbook."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.services.expressions import chosen, grouped

ROOT = pathlib.Path(__file__).parents[3]
CHART = ROOT / "charts" / "gpu-dev-server" / "files"
RUNBOOKS = ROOT / "docs" / "operate" / "runbooks"
RULES = yaml.safe_load((CHART / "rules.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((CHART / "dashboard.json").read_text())["panels"]
EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]
#: What Prometheus adds to whatever it reads of a pod.
OF_THE_TARGET = {"namespace", "pod"}
#: Of kube-state-metrics and of the kubelet, as their documentation has them; nothing of ours.
OF_THE_CLUSTER = {
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim"},
}
PLAYS = [pytest.param(expression, id=name) for name, expression in EXPRESSIONS]


@pytest.fixture(scope="module")
def told(apart):
    """What a real API, processor and gateway tell: the labels of each metric, and the values of each label."""
    services = [apart.service(f"told-{word}", word).start() for word in ("api", "processor", "gateway")]
    apart.until_ready(*services)
    found: dict[str, dict[str, set[str]]] = {}
    for service in services:
        status, text = apart.get(service, "/metrics")
        assert status == 200, text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
    yield found
    for service in services:
        service.end()


def wrong(expression, told):
    """Return what an expression names that is not there."""
    known = {name: set(labels) for name, labels in told.items()} | OF_THE_CLUSTER
    found = []
    there = set(OF_THE_TARGET)
    for one in chosen(expression):
        if one.metric not in known:
            found.append(one.metric)
            continue
        there |= known[one.metric]
        for label, values in one.labels.items():
            if label not in known[one.metric] | OF_THE_TARGET:
                found.append(f"{one.metric}{{{label}}}")
            elif values and label in told.get(one.metric, {}):
                found += [f"{label}={value}" for value in values if value not in told[one.metric][label]]
    return found + [f"by {label}" for label in sorted(grouped(expression) - there)]


@pytest.mark.parametrize("expression", PLAYS)
def test_an_expression_names_only_what_services_tell(told, expression):
    assert chosen(expression)
    assert wrong(expression, told) == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("max by (kind) (gpudev_nothing_like_it) > 0", ["gpudev_nothing_like_it", "by kind"]),
        ('rate(gpudev_gateway_logins_total{outcome="lost"}[5m])', ["outcome=lost"]),
        ('sum(gpudev_gateway_logins_total{outcome=~"in|full|lost"})', ["outcome=lost"]),
        ('gpudev_attention{sort="disk"} > 1', ["gpudev_attention{sort}"]),
        ("max by (backend, colour) (gpudev_backend_paused)", ["by colour"]),
        ('time() - gpudev_served_age_seconds{namespace="x"} > 4 * 3600 and gpudev_database_up == 0', []),
    ],
)
def test_what_is_not_there_is_found_out(told, expression, found):
    assert wrong(expression, told) == found


def test_what_is_told_is_about_itself_and_no_person(told):
    labels = {label for labels in told.values() for label in labels}

    assert not labels & {"user", "owner", "name", "reservation"}
    assert all(name.startswith(("gpudev_", "python_", "process_")) for name in told)


def test_every_metric_is_in_the_page_of_metrics(told):
    page = (ROOT / "docs" / "operate" / "monitoring.md").read_text()

    assert {name for name in told if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_what_is_wrong_what_to_do_and_where_to_read_on(rule):
    about = rule["annotations"]

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    assert about["summary"].endswith(".")
    assert about["action"].endswith(".")
    page = (ROOT / about["runbook"]).read_text()
    assert page.startswith(f"# {rule['alert']}\n")
    for part in ("## What it means", "## What people notice", "## Look first", "## Mend", "## Well again"):
        assert f"\n{part}\n" in page


def test_every_runbook_is_of_an_alert_and_no_alert_is_there_twice():
    names = [rule["annotations"]["runbook"] for rule in RULES]

    assert sorted(f"docs/operate/runbooks/{path.name}" for path in RUNBOOKS.glob("*.md")) == sorted(names)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
