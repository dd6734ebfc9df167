"""What the pages for operators tell people to look at or to change by kubectl is there, under that name."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.chart.rendering import CHART, ROOT, render, values_of

PAGES = sorted((ROOT / "docs" / "operate").rglob("*.md"))
_NAMED = re.compile(
    r"\b(?P<kind>deployment|statefulset|cronjob|secret|pod|pvc|svc)(?:[/ ]| -n [a-z-]+ )(?P<name>(?:data-)?gpu-dev-[a-z0-9-]+)"
)
_EXEC = re.compile(r"kubectl (?:exec|logs)(?: -i)? -n [a-z-]+ (?P<name>gpu-dev-[a-z0-9-]+)")
KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "cronjob": "CronJob", "svc": "Service"}
#: Made by a Job, and not by helm.
SECRETS = {"gpu-dev-secrets", "gpu-dev-authority"}


def there():
    """Return the objects by kind, with the pods and claims that StatefulSets make."""
    found = {}
    for shape in ("default", "everything"):
        for thing in render(*values_of(shape)):
            found.setdefault(thing["kind"], set()).add(thing["metadata"]["name"])
    found["Pod"] = {f"{name}-0" for name in found["StatefulSet"]}
    found["Claim"] = {f"data-{name}-0" for name in found["StatefulSet"]}
    return found


def missing(text, found):
    """Return the names in a page's commands that no object has."""
    wrong = []
    for each in _NAMED.finditer(text):
        known = {"secret": SECRETS, "pod": found["Pod"], "pvc": found["Claim"]}
        names = known[each["kind"]] if each["kind"] in known else found[KINDS[each["kind"]]]
        wrong += [each["name"]] if each["name"] not in names else []
    return wrong + [each["name"] for each in _EXEC.finditer(text) if each["name"] not in found["Pod"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs" / "operate").as_posix())
def test_what_a_page_names_is_there(page):
    assert missing(page.read_text(encoding="utf-8"), there()) == []


def test_a_name_that_is_not_there_is_found_out():
    named = ["logs -n x deployment/gpu-dev-worker", "patch cronjob gpu-dev-expire", "exec -n x gpu-dev-pg-0 -- true"]
    text = "\n".join(f"kubectl {each}" for each in named)

    assert missing(text, there()) == ["gpu-dev-worker", "gpu-dev-expire", "gpu-dev-pg-0"]


def taken_over():
    """Return the values that stand in the last column of the page's table, what was before being in the first."""
    text = (ROOT / "docs" / "operate" / "from-opentofu.md").read_text(encoding="utf-8")
    table = text.partition("## What the chart takes over")[2].partition("\n## ")[0]
    rows = [line.strip("| ").rsplit("|", 1)[1] for line in table.splitlines() if line.startswith("| ")]
    return [path for row in rows for path in re.findall(r"`([^`]+)`", row)]


def is_value(path):
    """Return whether the chart's values.yaml has a path."""
    found = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def test_what_the_chart_takes_over_of_an_older_system_is_said_by_values_that_there_are():
    named = taken_over()

    assert len(named) >= 15
    assert [path for path in named if not is_value(path)] == []


@pytest.mark.parametrize("path", ["reservationProcesor.replicas", "config.limits.grace", "gpuTypez", "gpuTypes.h100"])
def test_a_value_that_is_not_there_is_found_out_whatever_its_first_word(path):
    assert not is_value(path)
