"""The table of planted bugs fits the code as it is."""

from __future__ import annotations

import pytest

from tests.architecture.sources import ROOT
from tests.planted.plant import read_table

BUGS = read_table()


def test_there_are_thirty_and_more():
    assert len(BUGS) >= 30
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_it_can_be_planted(bug):
    texts = {edit.file: (ROOT / edit.file).read_text() for edit in bug.edits}
    for edit in bug.edits:
        assert texts[edit.file].count(edit.old) == 1, edit.old
        texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_its_tests_exist(bug):
    assert all((ROOT / path.split("::")[0]).exists() for path in bug.caught_by.split())
