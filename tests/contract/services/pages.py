"""Commands of the pages for operators, run as they stand there."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

from gpudev_sdk.store.embedded import binaries
from tests.contract.services.apart import BIN

PAGES = pathlib.Path(__file__).parents[3] / "docs" / "operate"
_BLOCK = re.compile(r"^```sh (?P<name>[a-z-]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page, name):
    """Return the block of a page that has this name."""
    (body,) = [found["body"] for found in _BLOCK.finditer((PAGES / page).read_text()) if found["name"] == name]
    return body


def run(page, name, folder, **variables):
    """Run a block in a folder; every command of it must succeed."""
    programs = pathlib.Path(binaries.program("pg_dump")).parent
    environment = {"PATH": f"{programs}:{BIN}:{os.environ['PATH']}", "HOME": str(folder), **variables}
    done = subprocess.run(
        ["bash", "-euc", commands(page, name)], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
