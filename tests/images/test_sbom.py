"""The list of what is in an image has everything that is in it; `make sbom` leaves it in dist/sbom."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
#: Those that are ours; they are in it as well.
OURS = ("gpudev-cli", "gpudev-sdk", "gpudev-services")


@pytest.fixture(scope="session")
def bom(image):
    name, root = image
    command = [ROOT / "tools" / "sbom", f"gpudev/{name}", "0.1.0"]
    with subprocess.Popen(["tar", "--create", "--directory", root, "."], stdout=subprocess.PIPE) as tar:
        made = subprocess.run(command, stdin=tar.stdout, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    into = ROOT / "dist" / "sbom" / f"{name}.cdx.json"
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(made.stdout)
    return json.loads(made.stdout)


def told(bom, kind: str) -> dict[tuple[str, str], dict]:
    return {
        (each["name"], each["version"]): each for each in bom["components"] if each["purl"].startswith(f"pkg:{kind}/")
    }


def test_every_distribution_of_python_is_in_it_with_its_version_and_licence(image, bom):
    name, root = image
    places = [str(path) for path in root.glob("opt/gpudev/lib/python3*/site-packages")]
    there = {(each.name, each.version) for each in importlib.metadata.distributions(path=places)} if places else set()

    assert {(ours, "0.1.0") for ours in OURS} <= there if name == "services" else there == set()
    assert there <= set(told(bom, "pypi"))
    assert [each["name"] for each in told(bom, "pypi").values() if "licenses" not in each] == []


def test_every_package_of_debian_is_in_it_with_its_version(image, bom):
    _, root = image
    asked = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat", "${Package} ${Version}\n"]
    there = {
        tuple(line.split())
        for line in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    }

    assert len(there) > 80
    assert there == set(told(bom, "deb"))


def test_a_package_without_a_licence_is_one_whose_licence_the_image_does_not_have(image, bom):
    _, root = image
    silent = [name for (name, _), each in told(bom, "deb").items() if "licenses" not in each]

    assert [name for name in silent if (root / "usr" / "share" / "doc" / name / "copyright").is_file()] == []


def test_the_same_image_has_the_same_list(image, bom):
    assert len({each["bom-ref"] for each in bom["components"]}) == len(bom["components"])
    assert bom["components"] == sorted(bom["components"], key=lambda each: each["bom-ref"])
