"""Reads the named statements of `queries/*.sql`.

A file is a row of blocks: `-- name: x`, one or more comment lines that say what the statement is for, and the statement with
`%(param)s` placeholders. Statements are bytes, which psycopg takes as they are: no value is ever put into their text.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator

from gpudev_sdk.errors import StoreError

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


def queries(name: str) -> dict[str, bytes]:
    """Return the statements of `queries/NAME.sql` by name.

    Raises StoreError for a file that does not exist, and for one with a doubled name, without a description, or empty.
    """
    file = importlib.resources.files("gpudev_sdk.store") / "queries" / f"{name}.sql"
    if not file.is_file():
        raise StoreError(f"there is no file of statements {name!r}")
    found: dict[str, bytes] = {}
    for title, statement in parse(file.read_text(encoding="utf-8"), name):
        if title in found:
            raise StoreError(f"queries/{name}.sql has two statements {title!r}")
        found[title] = statement
    return found


def parse(text: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, statement) of each block of a file's text."""
    before, *parts = _NAME.split(text)
    if before.strip() or not parts:
        raise StoreError(f"queries/{name}.sql does not begin with a named statement")
    for title, block in zip(parts[::2], parts[1::2], strict=True):
        lines = block.strip().splitlines()
        statement = [line for line in lines if not line.startswith("--")]
        if not statement or len(statement) == len(lines):
            raise StoreError(f"the statement {title!r} of queries/{name}.sql lacks its description or its SQL")
        yield title, "\n".join(statement).strip().encode()
