"""The scripts of a box, as shellcheck reads them."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

BOOT = ROOT / "src/gpudev_sdk/kube/boot"
SCRIPTS = sorted(BOOT.glob("*.sh"))


def shellcheck() -> str:
    """Return the program, which lies beside Python."""
    return shutil.which("shellcheck", path=str(pathlib.Path(sys.executable).parent)) or "shellcheck"


def test_there_is_something_to_check():
    assert [script.name for script in SCRIPTS] == ["listening.sh", "start.sh"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script):
    done = subprocess.run([shellcheck(), "-s", "sh", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_what_it_should(tmp_path):
    bad = tmp_path / "bad.sh"
    bad.write_text("#!/bin/sh\nrm -rf $1\n")

    assert subprocess.run([shellcheck(), "-s", "sh", bad], capture_output=True, check=False).returncode != 0
