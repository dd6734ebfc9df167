"""What images/services/strip takes out of compiled libraries, and what it leaves."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import pytest

STRIP = pathlib.Path(__file__).parents[3] / "images" / "services" / "strip"


def library() -> pathlib.Path:
    """Return a library of a wheel that came with its symbols."""
    found = importlib.util.find_spec("yaml._yaml")
    assert found is not None and found.origin is not None
    return pathlib.Path(found.origin)


@pytest.fixture
def folder(tmp_path):
    package = tmp_path / "yaml"
    shutil.copytree(library().parent, package)
    return tmp_path


def strip(folder) -> None:
    subprocess.run([sys.executable, STRIP, folder], check=True)


def test_a_stripped_library_is_smaller_and_works_as_before(folder):
    strip(folder)

    made = folder / "yaml" / library().name
    program = "import yaml; assert yaml.load('a: [1]', yaml.CSafeLoader) == {'a': [1]}; print(yaml._yaml.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(made), done.stderr
    assert made.stat().st_size < library().stat().st_size


def test_what_is_stripped_already_stays(folder):
    strip(folder)
    before = (folder / "yaml" / library().name).read_bytes()

    strip(folder)

    assert (folder / "yaml" / library().name).read_bytes() == before


def test_what_is_no_library_of_this_kind_stays(tmp_path):
    contents = {"a.so": b"INPUT(libb.so)", "b.so.1": b"\x7fELF\x01\x01" + b"\0" * 99, "c.so": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    strip(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
