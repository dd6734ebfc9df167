"""The public names: a change of them is seen, and decided."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys

import pytest

SNAPSHOT = pathlib.Path(__file__).with_name("public_names.txt")
PUBLIC = ("gpudev_sdk", "gpudev_sdk.providers", "gpudev_sdk.testing")


def names() -> list[str]:
    return [f"{module}.{name}" for module in PUBLIC for name in sorted(importlib.import_module(module).__all__)]


def test_the_public_names_are_those_that_were_decided():
    """A name more or less? If that is meant, write it into public_names.txt, and a changelog fragment."""
    assert names() == SNAPSHOT.read_text().splitlines()


@pytest.mark.parametrize("name", SNAPSHOT.read_text().splitlines())
def test_every_public_name_loads(name):
    module, _, attribute = name.rpartition(".")

    assert getattr(importlib.import_module(module), attribute) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'reserv'"):
        importlib.import_module("gpudev_sdk").reserv  # noqa: B018


def test_the_layers_hold():
    """import-linter, with the contracts of pyproject.toml."""
    root = pathlib.Path(__file__).parents[2]
    lint = pathlib.Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=root, check=False)

    assert done.returncode == 0, done.stdout
