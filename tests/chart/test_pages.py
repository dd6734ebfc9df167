"""What the pages for operators tell people to look at or to change by kubectl is there, under that name."""

from __future__ import annotations

import re

import pytest

from tests.chart.rendering import ROOT, render, values_of

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
