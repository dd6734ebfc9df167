"""Broad excepts stand at named boundaries only, and nowhere is an error dropped without a word."""

from __future__ import annotations

import ast

from tests.architecture.sources import shown, sources, tree

#: Where whatever is raised is caught, and what for.
BOUNDARIES = {
    "src/gpudev_sdk/plugins.py": "importing a plugin: whatever it raises becomes an error that names it",
    "src/gpudev_sdk/engine/processor.py": "one row's work: logged, and tried again",
    "src/gpudev_sdk/engine/loop.py": "one sweep, and listeners: logged, and tried again",
    "apps/services/src/gpudev_services/up/build.py": "a policy of a plugin: whatever it raises refuses the request",
    "apps/services/src/gpudev_services/api/problems.py": "the API's edge: a problem without the exception's text",
}
BROAD = {"Exception", "BaseException"}


def handlers():
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                yield path, node


def names(handler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) for kind in kinds}


def goes_on(handler) -> bool:
    """Say whether the handler only cleans up and raises the same again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_broad_excepts_stand_at_named_boundaries():
    others = [
        f"{shown(path)}:{handler.lineno}"
        for path, handler in handlers()
        if names(handler) & BROAD and not goes_on(handler) and shown(path) not in BOUNDARIES
    ]

    assert others == []


def test_no_boundary_has_more_than_one():
    counts: dict[str, int] = {}
    for path, handler in handlers():
        if names(handler) & BROAD and not goes_on(handler):
            counts[shown(path)] = counts.get(shown(path), 0) + 1

    assert {path: count for path, count in counts.items() if count > 1} == {}


def test_no_broad_error_is_suppressed():
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("suppress")
        and {ast.unparse(argument) for argument in node.args} & BROAD
    ]

    assert found == []
