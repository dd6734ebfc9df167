"""The chart's README.md is made from its schema."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys

import pytest

from tests.chart.rendering import CHART, ROOT

PROGRAM = ROOT / "tools" / "chart-docs"


@pytest.fixture
def docs(monkeypatch):
    """The program as a module; it leaves no compiled copy beside itself."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("chart_docs", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("chart_docs", loader))
    loader.exec_module(module)
    return module


def test_it_is_what_the_schema_and_the_values_say():
    made = subprocess.run(
        [sys.executable, str(PROGRAM), "--check"], capture_output=True, text=True, timeout=30, check=False
    )

    assert made.stderr == ""
    assert made.returncode == 0


def test_a_page_that_is_behind_is_seen_with_the_next_step(docs, monkeypatch, tmp_path, capsys):
    for name in ("Chart.yaml", "values.yaml", "values.schema.json"):
        (tmp_path / name).write_bytes((CHART / name).read_bytes())
    (tmp_path / "README.md").write_text("of last year", encoding="utf-8")
    monkeypatch.setattr(docs, "CHART", tmp_path)
    monkeypatch.setattr(sys, "argv", ["chart-docs", "--check"])

    assert docs.main() == 1
    assert "tools/chart-docs" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "of last year"


def test_every_value_has_a_line_with_its_default_and_what_it_is(docs):
    schema = {
        "properties": {
            "a": {"description": "A.", "enum": ["x", "y"]},
            "b": {"properties": {"c": {"$ref": "#/$defs/n", "description": "C."}, "d": {"description": "D."}}},
            "e": {"$ref": "#/$defs/image", "description": "E."},
        },
        "$defs": {"n": {"type": "integer"}, "image": {"properties": {"repository": {}, "tag": {}}}},
    }
    values = {"a": "x", "b": {"c": 0, "d": {}}, "e": {"repository": "r", "tag": ""}}

    assert list(docs.rows(schema, schema, values)) == [
        '| `a` | `"x"` | A. One of `x`, `y`. |',
        "| `b.c` | `0` | C. |",
        "| `b.d` |  | D. |",
        "| `e` | `r:VERSION` | E. |",
    ]
