"""The images of an installation: what makes one another, and what a build is lent."""

from __future__ import annotations

import configparser

import attrs
import pytest

from tests.cluster.machine import shipped
from tests.cluster.machine.buildah import CERTIFICATES, for_pip


@pytest.fixture
def recipes(tmp_path):
    return shipped.recipes(tmp_path)


def test_an_image_whose_base_is_another_is_another(recipes):
    before = shipped.tags(recipes)
    changed = tuple(attrs.evolve(each, more="another") if each.name == "python" else each for each in recipes)

    after = shipped.tags(changed)

    assert {name for name in before if before[name] != after[name]} == {"python", "services", "next", "devserver"}


def test_every_base_comes_before_what_is_built_on_it(recipes):
    names = [each.name for each in recipes]

    assert [each.name for each in recipes if each.base and names.index(each.base) > names.index(each.name)] == []


def test_what_running_leaves_behind_makes_no_other_image(tmp_path):
    for name in ("code.py", "__pycache__/code.pyc", "gpudev.egg-info/PKG-INFO"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [each.name for each in shipped.files(tmp_path)] == ["code.py"]


def test_a_build_is_lent_the_index_and_the_certificates_of_this_machine(tmp_path, monkeypatch):
    trusted = tmp_path / "trusted.pem"
    trusted.touch()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_CERT", str(trusted))
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere")

    lent = for_pip(tmp_path)

    said = configparser.ConfigParser()
    said.read(tmp_path / "pip.conf")
    assert dict(said["global"]).items() >= {"index-url": "https://index.example/simple", "cert": CERTIFICATES}.items()
    assert "find-links" not in said["global"]
    assert lent == [f"{trusted.resolve()}:{CERTIFICATES}:ro", f"{tmp_path}/pip.conf:/etc/pip.conf:ro"]
