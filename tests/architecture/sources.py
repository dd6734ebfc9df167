"""Where our source is, for the tests of its shape."""

from __future__ import annotations

import ast
import functools
import pathlib

ROOT = pathlib.Path(__file__).parents[2]
_SOURCES = ("src", "apps", "plugins", "examples", "tools", "benchmarks")


@functools.cache
def sources() -> tuple[pathlib.Path, ...]:
    """Return every Python file that is shipped or run, tests left out."""
    found = [path for top in _SOURCES for path in (ROOT / top).rglob("*.py")]
    return tuple(path for path in sorted(found) if "tests" not in path.relative_to(ROOT).parts)


@functools.cache
def files_of_tests() -> tuple[pathlib.Path, ...]:
    """Return every Python file of the tests."""
    return tuple(sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").glob("*/tests/**/*.py")]))


@functools.cache
def tree(path: pathlib.Path) -> ast.Module:
    """Return a file's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def shown(path: pathlib.Path) -> str:
    """Return a path as people read it."""
    return path.relative_to(ROOT).as_posix()
