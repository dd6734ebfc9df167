"""The alerts of the chart, played in time by Prometheus' own tool, and rendered for whatever namespace they are of."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest
import yaml

from tests.chart.rendering import CHART, one, render, values_of

PLAYED = pathlib.Path(__file__).parent / "rules_test.yaml"


def promtool(*words):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: PATH=$(tools/promtool):$PATH")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_alerts_come_and_go_as_they_should():
    done = promtool("test", "rules", str(PLAYED))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_played():
    rules = yaml.safe_load((CHART / "files" / "rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    played = PLAYED.read_text(encoding="utf-8")

    assert [rule["alert"] for rule in rules if f'alertname="{rule["alert"]}"' not in played] == []


def test_alerts_are_of_the_releases_own_namespace():
    rule = one(
        render(*values_of("everything"), "--set", "namespaces.controlplane=lab-control"),
        "PrometheusRule",
        "gpu-dev-rules",
    )
    rules = rule["spec"]["groups"][0]["rules"]

    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert all('namespace="lab-control"' in each["expr"] for each in rules)
    assert "gpu-controlplane" not in str(rules)
    assert "{{ $labels.backend }}" in str(rules)


def test_without_a_word_there_are_none():
    assert [each for each in render() if each["kind"] == "PrometheusRule"] == []
