"""Every hook is documented and tested, and so is every law."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from gpudev_sdk import hookspecs, testing
from tests.architecture.sources import ROOT, tree

CONTRACT = (ROOT / "docs" / "plugins" / "contract.md").read_text()
HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("gpudev_")}
SUITES = sorted((ROOT / "src" / "gpudev_sdk" / "testing").glob("*.py"))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name):
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)

    assert f"### {name}({arguments})\n" in CONTRACT


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_tested(name):
    tests = {node.name for node in tree(ROOT / "tests" / "unit" / "test_plugins.py").body if hasattr(node, "name")}

    assert f"test_hook_{name}" in tests


def test_no_hook_is_documented_that_is_not_there():
    assert set(re.findall(r"^### (gpudev_\w+)", CONTRACT, re.MULTILINE)) == set(HOOKS)


def laws() -> dict[str, bool]:
    """Return the numbers of all laws, and whether the suites can test them."""
    return {
        number: not untested for number, untested in re.findall(r"^- \*\*(\d\.\d+)\*\*( †)?", CONTRACT, re.MULTILINE)
    }


def cited() -> set[str]:
    found = set()
    for path in SUITES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found |= set(re.findall(r"^Law (\d\.\d+)", ast.get_docstring(node) or "", re.MULTILINE))
    return found


def looked_at() -> set[str]:
    """Return the laws that the suites give to one test, law by law."""
    suites = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]
    marks = [mark for suite in suites for test in vars(suite).values() for mark in getattr(test, "pytestmark", ())]
    return {law.number for mark in marks if mark.args[0] == "law" for law in mark.args[1]}


def test_every_law_is_tested_and_every_test_cites_a_law_there_is():
    assert {"2.5", "9.8"} <= looked_at()
    assert cited() | looked_at() == {number for number, testable in laws().items() if testable}


def test_every_test_of_a_suite_cites_its_law():
    silent = [
        f"{path.name}:{node.name}"
        for path in SUITES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").startswith("Law ")
    ]

    assert silent == []
