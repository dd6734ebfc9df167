"""Commands of the pages for operators, run as they stand there."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

from psycopg.conninfo import conninfo_to_dict

from gpudev_sdk.store.embedded import binaries
from tests.contract.services.apart import BIN
from tests.pages import fenced

PAGES = pathlib.Path(__file__).parents[3] / "docs" / "operate"


def commands(page, name):
    """Return the block of a page that has this name."""
    (body,) = [body for other, body in fenced(f"docs/operate/{page}") if other == name]
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


def inside(page):
    """Return every script that a page has run in the pod of PostgreSQL, in order, with what stands on either side of it."""
    text = (PAGES / page).read_text()
    found = re.compile(
        r"^kubectl exec(?: -i)? -n \S+ gpu-dev-postgres-0 -- sh -c '(?P<script>[^']*)'(?P<rest>.*)$", re.MULTILINE
    )
    return [(each["script"], each["rest"].strip()) for each in found.finditer(text)]


def run_inside(script, folder, embedded, *, given=None, **variables):
    """Run one of them as in that pod: with its variables, its programs, and the secret where we have it."""
    programs = pathlib.Path(binaries.program("pg_dump")).parent
    where = conninfo_to_dict(embedded.dsn("postgres"))
    place = {"PGHOST": str(where["host"]), "PGPORT": str(where.get("port", 5432))}
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), **place, **variables}
    return subprocess.run(
        ["sh", "-euc", script.replace("/var/run/gpudev/secrets", str(folder))], env=environment, input=given,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
