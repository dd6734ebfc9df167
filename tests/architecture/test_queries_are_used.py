"""Every named query has a caller."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT

QUERIES = sorted((ROOT / "src/gpudev_sdk/store/queries").glob("*.sql"))
CODE = "\n".join(
    path.read_text(encoding="utf-8") for folder in ("src", "apps") for path in sorted((ROOT / folder).rglob("*.py"))
)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_named_query_has_a_caller(path):
    names = re.findall(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in names if f'["{name}"]' not in CODE and f'query="{name}"' not in CODE] == []
