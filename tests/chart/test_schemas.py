"""Kubernetes' own schemas take every object, in three of its versions."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest

from tests.chart.rendering import SHAPES, text, values_of

#: What no schema of Kubernetes itself has.
FOREIGN = "ServiceMonitor,PodMonitor,PrometheusRule,HTTPRoute"


def conform(version: str, documents: str) -> dict:
    """Return what kubeconform sums up."""
    program = shutil.which("kubeconform")
    if program is None:
        pytest.skip("helm is not installed: PATH=$(tools/chart-tools):$PATH brings kubeconform too")
    place = pathlib.Path(program).parent / "schemas" / version / "{{ .ResourceKind }}{{ .KindSuffix }}.json"
    words = ["-strict", "-summary", "-output", "json", "-kubernetes-version", f"{version}.0", "-skip", FOREIGN]
    made = subprocess.run(
        [program, *words, "-schema-location", str(place)],
        input=documents,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(made.stdout)


@pytest.mark.parametrize("version", ["1.36", "1.34", "1.32"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_object_of_a_shape_is_valid(name, version):
    found = conform(version, text(*values_of(name)))

    assert found.get("resources") == []
    assert found["summary"]["valid"] > 30
    assert found["summary"]["skipped"] == (5 if name == "everything" else 0)


def test_a_field_that_kubernetes_does_not_know_is_seen():
    bent = text().replace("automountServiceAccountToken:", "automountServiceAccountTokens:")

    assert conform("1.36", bent)["summary"]["invalid"] > 5
