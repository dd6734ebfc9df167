"""Time in SQL is `gpudev_now()` alone, so that tests and simulation can set it."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import ROOT, shown, sources, tree

CLOCKS = re.compile(
    r"""(?<![a-z_])(
        now\s*\(\s*\) | (clock|statement|transaction)_timestamp\s*\( | timeofday\s*\(
        | current_(timestamp|date|time)(?![a-z_]) | local(timestamp|time)(?![a-z_])
        | '(now|today|tomorrow|yesterday)' | epoch_now
    )""",
    re.IGNORECASE | re.VERBOSE,
)
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|VALUES|SET|INTERVAL)\b")
#: The one definition.
DEFINITION = "src/gpudev_sdk/store/migrations/0001_time.sql"


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def clocks(text: str) -> list[str]:
    return [match[0] for match in CLOCKS.finditer(without_comments(text))]


def sql_files():
    return [path for top in ("src", "apps") for path in sorted((ROOT / top).rglob("*.sql"))]


def test_there_is_sql_to_look_at():
    assert len(sql_files()) > 5


def test_no_sql_file_asks_another_clock():
    found = {shown(path): clocks(path.read_text()) for path in sql_files() if shown(path) != DEFINITION}

    assert {path: clock for path, clock in found.items() if clock} == {}


def test_the_definition_asks_one_clock_once():
    assert clocks((ROOT / DEFINITION).read_text()) == ["statement_timestamp("]


def test_no_sql_in_python_asks_another_clock():
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if SQL.search(node.value) and clocks(node.value)
    ]

    assert found == []


def test_the_lint_sees_what_it_should():
    seen = ["SELECT now()", "DEFAULT CURRENT_TIMESTAMP", "clock_timestamp()", "'now'::timestamptz", "SELECT localtime"]

    assert all(clocks(text) for text in seen)
    assert not any(clocks(text) for text in ["gpudev_now()", "-- now()", "known()", "current_timestamps"])
