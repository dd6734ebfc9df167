"""Every shape of the chart as kube-score sees it: no finding without a reason, and no reason without a finding."""

from __future__ import annotations

import fnmatch
import functools
import json
import pathlib
import shutil
import subprocess
import tomllib

import attrs
import pytest

from tests.chart.rendering import SHAPES, pods, shape, text, values_of

FILE = pathlib.Path(__file__).with_name("policy.toml")
#: What it looks for only when told.
MORE = ("container-seccomp-profile", "container-ports-check")
FINE = 10


@attrs.frozen
class Finding:
    """What is said of one object."""

    check: str
    object: str
    says: str


@attrs.frozen
class Exemption:
    """What may be said of some, and why."""

    check: str
    says: str
    objects: tuple[str, ...]
    reason: str

    def explains(self, found: Finding) -> bool:
        """Tell whether this is what was found."""
        return (
            self.check == found.check
            and fnmatch.fnmatchcase(found.says, self.says)
            and any(fnmatch.fnmatchcase(found.object, each) for each in self.objects)
        )


def exemptions() -> list[Exemption]:
    entries = tomllib.loads(FILE.read_text())["exception"]
    return [Exemption(**{**each, "objects": tuple(each["objects"])}) for each in entries]


def findings(documents: str) -> set[Finding]:
    """Return all that kube-score has against some objects; skipped checks are none."""
    program = shutil.which("kube-score")
    if program is None:
        pytest.skip("helm is not installed: PATH=$(tools/chart-tools):$PATH brings kube-score too")
    words = [word for each in MORE for word in ("--enable-optional-test", each)]
    made = subprocess.run(
        [program, "score", "--output-format", "json", "--kubernetes-version", "v1.32", *words, "-"],
        input=documents,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return {
        Finding(check["check"]["id"], f"{each['type_meta']['kind']} {each['object_meta']['name']}", comment["summary"])
        for each in json.loads(made.stdout)
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < FINE
        for comment in check["comments"] or [{"summary": ""}]
    }


@functools.cache
def of_shape(name: str) -> set[Finding]:
    return findings(text(*values_of(name)))


@pytest.mark.parametrize("name", SHAPES)
def test_whatever_is_found_in_a_shape_has_a_reason(name):
    known = exemptions()

    unexplained = [found for found in of_shape(name) if not any(each.explains(found) for each in known)]

    assert unexplained == []


def test_an_exception_that_no_longer_applies_is_told():
    found = {each for name in SHAPES for each in of_shape(name)}

    idle = [
        f"{each.check}: {pattern}"
        for each in exemptions()
        for pattern in each.objects
        if not any(attrs.evolve(each, objects=(pattern,)).explains(one) for one in found)
    ]

    assert idle == []


@pytest.mark.parametrize("name", SHAPES)
def test_a_pod_without_a_limit_of_ephemeral_storage_writes_only_where_there_is_one(name):
    volumes = [each for _, pod in pods(shape(name)) for each in pod["spec"].get("volumes", []) if "emptyDir" in each]

    assert volumes
    assert [each["name"] for each in volumes if "sizeLimit" not in each["emptyDir"]] == []


def test_every_exception_says_why():
    assert [each.check for each in exemptions() if len(each.reason.split()) < 5] == []


@pytest.mark.parametrize(
    ("held", "let_go", "check"),
    [
        (
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "container-security-context-readonlyrootfilesystem",
        ),
        ("seccompProfile:", "seccompProfiles:", "container-seccomp-profile"),
        ("memory: 512Mi", "cpu: 2", "container-resources"),
        ("kind: PodDisruptionBudget", "kind: PodDisruption", "deployment-has-poddisruptionbudget"),
    ],
    ids=["root", "seccomp", "memory", "disruption"],
)
def test_what_the_chart_holds_would_be_missed(held, let_go, check):
    whole = text()
    assert held in whole

    new = findings(whole.replace(held, let_go)) - of_shape("default")

    assert check in {each.check for each in new}
    assert not [each for each in new if any(known.explains(each) for known in exemptions())]
