"""How a values file names an image, and what a pod is given."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import sys

import pytest
import yaml

from tests.chart.rendering import CHART, ROOT, helm, kinds, one, refusal, render, values_of

ONE, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
EVERYTHING = values_of("everything")


@pytest.fixture
def pinning(monkeypatch):
    """tools/pin-bases as a module; it leaves no compiled copy beside itself."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("pin_bases", str(ROOT / "tools" / "pin-bases"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("pin_bases", loader))
    loader.exec_module(module)
    return module


def database(*said: str) -> str:
    words = (word for each in said for word in ("--set-string", f"images.postgres.{each}"))
    things = render("--set", "postgres.auth.password=x", *words)
    pod = one(things, "StatefulSet", "gpu-dev-postgres")["spec"]["template"]["spec"]
    return pod["containers"][0]["image"].removeprefix("docker.io/library/")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ((f"tag=18.1@{ONE}",), f"postgres:18.1@{ONE}"),
        ((f"digest={ONE}", "tag=18.1"), f"postgres:18.1@{ONE}"),
        ((f"tag=18.1@{ONE}", f"digest={OTHER}"), f"postgres:18.1@{OTHER}"),
    ],
)
def test_a_digest_is_said_with_the_tag_or_beside_it_which_counts_more(said, named):
    assert database(*said) == named


@pytest.mark.parametrize("tag", [f"latest@{ONE}", "18.1@sha256:12", f"@{ONE}", "18 1", f"18.1@{ONE}@{ONE}"])
def test_a_tag_that_is_none_is_refused_by_name(tag):
    assert "/images/postgres/tag" in refusal("--set-string", f"images.postgres.tag={tag}")


def test_a_chart_that_was_pinned_names_every_image_of_others_by_digest_until_an_operator_names_another(
    pinning, tmp_path
):
    chart = shutil.copytree(CHART, tmp_path / "chart")
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    digests = {pinning.name_of(each): ONE for each in pinning.named(text)}
    (chart / "values.yaml").write_text(pinning.pinned(text, digests), encoding="utf-8")

    made = helm("template", "gpu-dev", str(chart), *EVERYTHING, "--set-string", "images.registry.tag=4")

    assert made.returncode == 0, made.stderr
    things = [each for each in yaml.safe_load_all(made.stdout) if each]
    workloads = [each for kind in ("StatefulSet", "Deployment", "DaemonSet") for each in kinds(things, kind)]
    pods = [each["spec"]["template"]["spec"] for each in workloads]
    images = {each["image"] for pod in pods for each in (*pod["containers"], *pod.get("initContainers", []))}
    assert {name + f"@{ONE}" for name in digests if "/registry:" not in name} <= images
    assert {each for each in images if each.startswith("docker.io/library/registry")} == {
        "docker.io/library/registry:4"
    }
