"""Every migration says which older code goes on beside it, and one that takes something away lets none."""

from __future__ import annotations

import re

import pytest

from gpudev_sdk.store.migrate import Migration, migrations

#: The first that is asked: older code refuses whatever comes after what it knows.
FIRST = 15
#: What an older version would miss or trip over. A new column without a default is one: its inserts do not know it.
TAKES = re.compile(
    r"\b(DROP|RENAME|TRUNCATE|REVOKE|DELETE\s+FROM|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE"
    r"|ADD\s+CONSTRAINT|ADD\s+CHECK|CREATE\s+OR\s+REPLACE)\b"
    r"|\bADD\s+COLUMN\b(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\b(DEFAULT|GENERATED)\b)",
    re.IGNORECASE,
)


def sql(one: Migration) -> str:
    return re.sub(r"--[^\n]*", "", one.text.decode())


def wrong(one: Migration) -> str | None:
    """Return what is wrong with what a migration says of older code."""
    if one.oldest is None or not 1 <= one.oldest <= one.number:
        return f"{one.name} begins with no line `-- oldest: N`, N from 1 to {one.number}"
    if one.oldest < one.number and (found := TAKES.search(sql(one))):
        return f"{one.name} says that code of schema {one.oldest} goes on, and has `{found[0]}`"
    return None


def test_every_migration_says_what_goes_on_beside_it():
    assert [said for one in migrations() if one.number >= FIRST and (said := wrong(one))] == []


def made(text: str) -> Migration:
    return Migration(number=15, name="0015_made", text=text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE disk ADD COLUMN a int;",
        "-- a comment\n-- oldest: 14\nSELECT 1;",
        "-- oldest: 16\nSELECT 1;",
        "-- oldest: 14\nALTER TABLE disk DROP COLUMN zone;",
        "-- oldest: 14\nALTER TABLE disk RENAME TO d;",
        "-- oldest: 14\nALTER TABLE disk ADD COLUMN a int NOT NULL, ADD COLUMN b int DEFAULT 1;",
        "-- oldest: 14\nALTER TABLE disk ALTER COLUMN a TYPE bigint;",
        "-- oldest: 14\nALTER TABLE disk ALTER COLUMN a SET NOT NULL;",
        "-- oldest: 14\ncreate or replace function f() returns int language sql return 1;",
    ],
)
def test_what_older_code_would_trip_over_is_told(text):
    assert wrong(made(text))


@pytest.mark.parametrize(
    "text",
    [
        "-- oldest: 14\n-- It drops nothing.\nALTER TABLE disk ADD COLUMN a int NOT NULL DEFAULT 0;",
        "-- oldest: 14\nCREATE TABLE t (a int NOT NULL);",
        "-- oldest: 15\nDROP TABLE disk;",
    ],
)
def test_what_only_adds_is_let_through(text):
    assert wrong(made(text)) is None
