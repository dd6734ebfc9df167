"""What is rendered is what was looked at: a change of it is a change of these files, read as a diff."""

from __future__ import annotations

import pytest

from tests.chart.golden import FOLDER, written
from tests.chart.rendering import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_renders_what_its_golden_file_has(name):
    assert written(name) == (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def test_every_golden_file_is_of_a_shape():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(SHAPES)
