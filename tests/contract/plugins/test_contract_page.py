"""What cites a law cites one there is: the laws that only read, and every other number that the suites and skeletons name.

That each law without † has a test in the public suites is a test of tests/architecture/test_hooks.py.
"""

from __future__ import annotations

import pathlib
import re

import pytest

from gpudev_sdk.laws.judge import LAWS

ROOT = pathlib.Path(__file__).parents[3]
CONTRACT = (ROOT / "docs" / "plugins" / "contract.md").read_text()
NUMBERS = dict(re.findall(r"^- \*\*(\d\.\d+)\*\*( †)?", CONTRACT, re.MULTILINE))
CITING = [
    *sorted((ROOT / "src" / "gpudev_sdk" / "testing").rglob("*.py")),
    *sorted((ROOT / "src" / "gpudev_sdk" / "laws").glob("*.py")),
    *sorted((ROOT / "src" / "gpudev_sdk" / "providers").glob("*.py")),
    *sorted((ROOT / "apps" / "cli" / "src" / "gpudev_cli" / "kit" / "skeleton").iterdir()),
    *sorted((ROOT / "docs" / "plugins").glob("*.md")),
]


def cited(text):
    """Return every number that a text names as a law: `law 1.4`, `Laws 8.1 to 8.5`, `(laws 1.3, 3.5)`."""
    runs = re.findall(r"\b[Ll]aws? ((?:\d\.\d+(?:, | and | to )?)+)", text)
    return {number for run in runs for number in re.findall(r"\d\.\d+", run)}


def test_there_are_laws_and_they_are_cited():
    assert len(NUMBERS) > 50
    assert len({number for path in CITING for number in cited(path.read_text())}) > 40


@pytest.mark.parametrize("path", CITING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_law_that_is_cited_exists(path):
    assert cited(path.read_text()) - set(NUMBERS) == set()


def test_every_law_that_only_reads_exists():
    assert {law.number for law in LAWS} - set(NUMBERS) == set()


def test_the_numbers_of_a_chapter_are_without_gaps():
    for chapter in sorted({number.partition(".")[0] for number in NUMBERS}):
        found = [int(number.partition(".")[2]) for number in NUMBERS if number.partition(".")[0] == chapter]
        assert sorted(found) == list(range(1, len(found) + 1)), chapter


def spans(text):
    """Return every number that a text names, `2.5 – 2.11` being all between."""
    found = set(re.findall(r"(?<![\d.])\d\.\d+(?!\d)", text))
    for first, last in re.findall(r"(\d\.\d+) – (\d\.\d+)", text):
        chapter, begin = first.split(".")
        found |= {f"{chapter}.{number}" for number in range(int(begin), int(last.partition(".")[2]) + 1)}
    return found


def test_the_note_on_azure_walks_every_law():
    note = (ROOT / "docs" / "plugins" / "azure.md").read_text()

    assert set(NUMBERS) - spans(note) == set()
