"""The SDK from a script, as the design's example has it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import gpudev_sdk as gpudev
from tests.fix_install import until

pytestmark = pytest.mark.sandbox

EXAMPLE = """
import gpudev_sdk as gpudev
with gpudev.connect() as client:
    with client.reserve("h100", gpus=2, hours=4, disk="work") as box:      # released at the end
        print(box.run("echo $CUDA_VISIBLE_DEVICES").stdout)
        box.upload("train.py", "~/train.py")
        print(box.run("cat ~/train.py").stdout)
"""


def script(install, text):
    return subprocess.run(
        [sys.executable, "-c", text], env=install.environment, cwd=install.root, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=True,
    ).stdout  # fmt: skip


def test_the_example_works(install):
    (install.root / "train.py").write_text("loss = 0\n")
    assert script(install, EXAMPLE).split() == ["0,1", "loss", "=", "0"]


def test_a_box_is_released_also_when_the_script_fails(install):
    text = """
import gpudev_sdk as gpudev
with gpudev.connect() as client:
    try:
        with client.reserve("cpu", hours=1, disk=None, name="doomed"):
            raise ValueError
    except ValueError:
        pass
"""
    script(install, text)
    until(lambda: install.state("doomed") == "ended")


def test_what_a_command_says_and_its_code_come_back(install):
    text = """
import gpudev_sdk as gpudev
with gpudev.connect() as client, client.reserve("cpu", hours=1, disk=None) as box:
    done = box.run("echo out; echo err >&2; exit 3")
    print(done.exit_code, done.stdout.strip(), done.stderr.strip())
    print(client.availability().rows[0].gpu_type)
"""
    assert script(install, text).split() == ["3", "out", "err", "cpu"]


def test_errors_have_a_code_and_a_next_step(install, monkeypatch):
    for name, value in install.environment.items():
        monkeypatch.setenv(name, value)
    with gpudev.connect() as client:
        with pytest.raises(gpudev.errors.InvalidRequest) as caught:
            client.reserve("b200", gpus=1, hours=1)
        assert "cpu" in caught.value.hint


def test_connecting_where_nothing_runs_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUDEV_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("GPUDEV_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(gpudev.errors.ServerUnreachable, match="no gpudev server"), gpudev.connect() as client:
        client.availability()
    assert os.listdir(tmp_path) == [] or pathlib.Path(tmp_path, "config").exists()
