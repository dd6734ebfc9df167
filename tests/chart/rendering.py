"""Runs helm over the chart, and finds its way in what comes out."""

from __future__ import annotations

import functools
import pathlib
import shutil
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "charts" / "gpu-dev-server"
SHAPES = tuple(sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")))
CONTROL, BOXES = "gpu-controlplane", "gpu-dev"
NAME, INSTANCE, COMPONENT = (f"app.kubernetes.io/{what}" for what in ("name", "instance", "component"))


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm, with no cluster and no settings of whoever runs the tests."""
    program = shutil.which("helm")
    assert program, "helm is not installed"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=ROOT
    )


def values_of(shape: str) -> tuple[str, ...]:
    """Return the files of a shape: that of its place, if there is one, and what CI adds."""
    files = [CHART / f"values-{shape}.yaml", CHART / "ci" / f"{shape}-values.yaml"]
    return tuple(word for path in files if path.exists() for word in ("--values", str(path)))


@functools.cache
def text(*arguments: str, release: str = "gpu-dev") -> str:
    """Return what helm renders, as it says it."""
    made = helm("template", release, str(CHART), *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout


def refusal(*arguments: str) -> str:
    """Return what helm says where it is to refuse."""
    made = helm("template", "gpu-dev", str(CHART), *arguments)
    assert made.returncode != 0, "helm took it"
    return made.stderr


#: The one of libyaml is ten times as quick, where it was built.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def render(*arguments: str, release: str = "gpu-dev") -> list[dict]:
    """Return the objects, in order of kind, namespace and name; not to be changed, since others are given the same."""
    found = [each for each in yaml.load_all(text(*arguments, release=release), LOADER) if each]
    return sorted(found, key=identity)


def shape(name: str) -> list[dict]:
    """Return the objects of a shape."""
    return render(*values_of(name))


def identity(thing: dict) -> tuple[str, str, str]:
    """Return what tells an object apart in a cluster."""
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def kinds(things: list[dict], kind: str) -> list[dict]:
    """Return the objects of a kind."""
    return [thing for thing in things if thing["kind"] == kind]


def one(things: list[dict], kind: str, name: str) -> dict:
    """Return the one object of that kind and name."""
    (found,) = [thing for thing in kinds(things, kind) if thing["metadata"]["name"] == name]
    return found


def pods(things: list[dict]) -> list[tuple[str, dict]]:
    """Return every pod that would run, as its namespace and its template with metadata and spec."""
    found = []
    for thing in things:
        spec = thing.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        template = thing if thing["kind"] == "Pod" else spec.get("template")
        if template is not None:
            found.append((thing["metadata"]["namespace"], template))
    return found


def containers(pod: dict) -> list[dict]:
    """Return its containers, those that run first as well."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def component(thing: dict) -> str:
    """Return which part of gpudev it is."""
    return thing["metadata"]["labels"][COMPONENT]


def selects(selector: dict, labels: dict) -> bool:
    """Say whether a label selector (of equalities only) means these labels."""
    assert set(selector) <= {"matchLabels"}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
