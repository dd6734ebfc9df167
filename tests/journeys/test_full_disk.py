"""A box fills the filesystem that everything lies on: gpudev says so, goes on when there is room, and loses nothing."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.fix_install import CONFIG, prepare, until

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root"),
]


@pytest.fixture
def small():
    made = prepare()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=420m,mode=0700", "small", made.data], check=True)
    (made.data / "config.toml").write_text(CONFIG.replace("free_floor_bytes = 1000000", "free_floor_bytes = 40000000"))
    made.up()
    yield made
    made.cli("cancel", "--all", "--yes", "--wait", ok=False)
    made.cli("down", "--force", ok=False)
    subprocess.run(["umount", "--lazy", made.data], check=True)
    made.close()


def test_a_box_that_fills_the_disk_stops_nobody_for_good(small):
    small.cli("reserve", "cpu", "1h", "--disk", "greedy")
    small.ssh("greedy", "echo precious > ~/notes; sync; cat /dev/zero > ~/zeros", ok=False, timeout=60)
    refused = small.cli("reserve", "cpu", "1h", "--no-disk", "--name", "late", "--no-wait", ok=False)
    assert "Traceback" not in refused.stderr

    assert small.ssh("greedy", "rm ~/zeros", ok=False).returncode == 0
    until(lambda: small.cli("list", ok=False).returncode == 0, within=60)
    small.cli("reserve", "cpu", "1h", "--no-disk", "--name", "again", timeout=120)
    assert small.ssh("greedy", "cat ~/notes").stdout == "precious\n"
    assert small.cli("admin", "doctor").returncode == 0
