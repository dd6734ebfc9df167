"""Files of named statements are read as they are written, and a file that is wrong is refused."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store.sql import parse, queries


def test_a_statement_comes_without_its_name_and_description():
    text = "-- name: one\n-- What it is for,\n-- in two lines.\nSELECT 1\n  + %(more)s\n\n-- name: two\n-- Another.\nSELECT 2\n"
    assert dict(parse(text, "some")) == {"one": b"SELECT 1\n  + %(more)s", "two": b"SELECT 2"}


def test_a_file_that_does_not_exist_is_an_error():
    with pytest.raises(StoreError, match="no file of statements 'nothing'"):
        queries("nothing")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1\n",
        "SELECT 0\n-- name: one\n-- For something.\nSELECT 1\n",
        "-- name: one\nSELECT 1\n",
        "-- name: one\n-- For something.\n",
    ],
    ids=["empty", "nameless", "something before the first", "no description", "no statement"],
)
def test_a_block_that_is_not_whole_is_an_error(text):
    with pytest.raises(StoreError, match=r"some\.sql"):
        list(parse(text, "some"))


def test_a_doubled_name_is_an_error(tmp_path, monkeypatch):
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "some.sql").write_text("-- name: one\n-- A.\nSELECT 1\n-- name: one\n-- B.\nSELECT 2\n")
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(StoreError, match="two statements 'one'"):
        queries("some")
