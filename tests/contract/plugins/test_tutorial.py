"""The tutorial says what the example is, the example is small, and its own tests run as its author would run them."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

from gpudev_sdk import config

ROOT = pathlib.Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "gpudev-example"
TUTORIAL = (ROOT / "docs" / "plugins" / "write-one.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
FILES = [path for path in sorted(EXAMPLE.rglob("*")) if path.suffix in (".py", ".toml")]
#: Lines of Python, its tests, imports and docstrings among them; blank ones and comments are not counted.
MOST = 150


def lines(path):
    """Return the lines that are neither blank nor a comment."""
    return [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_are_blocks_of_every_part():
    assert len(BLOCKS) > 10


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0])
def test_every_block_of_the_tutorial_stands_in_the_example(block):
    assert any(f"\n{block}" in f"\n{path.read_text()}" for path in FILES)


def test_the_example_is_small():
    assert 100 < sum(len(lines(path)) for path in FILES if path.suffix == ".py") <= MOST


def test_its_own_tests_pass():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        capture_output=True, text=True, cwd=EXAMPLE, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_its_configuration_is_what_a_server_starts_with(tmp_path):
    read = config.read(EXAMPLE / "config.toml")

    assert config.read_backend(read.backends["shelf"], "shelf").compute_settings.gpus == 4
    assert "word" in read.logins
