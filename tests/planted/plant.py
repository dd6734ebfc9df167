"""Puts known bugs back, one by one, in a copy of the tree, and says which test catches each.

    python tests/planted/plant.py                 every bug of bugs.toml
    python tests/planted/plant.py --rotate 6      six of them, others with every commit
    python tests/planted/plant.py --only D2       those whose name or origin holds this text

A bug is caught when its own tests fail with it, or else when any other does. Exit status 1: some bug was not caught.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import attrs

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).with_name("bugs.toml")
#: All that tests look at.
COPIED = (
    "src", "apps", "tests", "examples", "docs", "changelog.d", "benchmarks", "tools", "images", "plugins",
    "pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md", "requirements.in", "requirements.lock",
)  # fmt: skip
#: What is run when a bug's own tests let it pass, quick ones first.
REST = (
    "tests/unit",
    "tests/contract/engine",
    "tests/contract/store",
    "tests/contract/two_sessions",
    "tests/model",
    "tests/sim",
)
PATIENCE = 900
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@attrs.frozen
class Edit:
    """One replacement."""

    file: str
    old: str
    new: str

    def apply(self, root: pathlib.Path) -> None:
        """Replace; the old text must be there exactly once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise LookupError(f"{self.file} holds this {text.count(self.old)} times, not once:\n{self.old}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@attrs.frozen
class Bug:
    """A bug of the table."""

    name: str
    like: str
    caught_by: str
    edits: tuple[Edit, ...]


@attrs.frozen
class Verdict:
    """What became of one."""

    bug: Bug
    test: str | None
    seconds: float
    why: str = "nothing"


def read_table() -> list[Bug]:
    """Return the bugs."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return [
        Bug(bug["name"], bug["like"], bug["caught_by"], tuple(Edit(**edit) for edit in bug["edits"]))
        for bug in table["bug"]
    ]


def copy_tree(to: pathlib.Path) -> None:
    """Copy what tests need; nothing of it is linked, so that a bug never reaches the original."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".hypothesis")
    for name in COPIED:
        if not (ROOT / name).exists():
            continue
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=ignore)
        else:
            shutil.copy2(ROOT / name, to / name)


def run_tests(tree: pathlib.Path, what: str) -> str | None:
    """Run tests on a copy; return the first that failed, or None."""
    ours = [tree, tree / "src", tree / "apps/cli/src", tree / "apps/services/src", tree / "examples/gpudev-example"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, ours)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(tree)]
    command += [what] if "[" in what else what.split()
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode == 0:
        return None
    failed = _FAILED.search(done.stdout)
    if failed is None:
        raise RuntimeError(f"pytest {what} did not run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return failed[1]


def try_bug(bug: Bug) -> Verdict:
    """Plant one bug in a fresh copy and see who catches it: a test that fails with it, and passes without it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpudev-planted-") as folder:
        with_it, without = pathlib.Path(folder, "with"), pathlib.Path(folder, "without")
        for tree in (with_it, without):
            tree.mkdir()
            copy_tree(tree)
        for edit in bug.edits:
            edit.apply(with_it)
        for what in (bug.caught_by, *REST):
            test = run_tests(with_it, what)
            if test is not None:
                if run_tests(without, test) is not None:
                    return Verdict(bug, None, time.monotonic() - began, f"{test} fails without it too")
                return Verdict(bug, test, time.monotonic() - began)
    return Verdict(bug, None, time.monotonic() - began)


def commits() -> int:
    """Return how many commits there are, which says whose turn it is."""
    counted = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(counted.stdout) if counted.returncode == 0 else 0


def chosen(bugs: list[Bug], rotate: int | None, only: str | None) -> list[Bug]:
    """Return the bugs of this run."""
    if only is not None:
        return [bug for bug in bugs if only in bug.like or only in bug.name]
    if rotate is None:
        return bugs
    first = commits() * rotate
    return [bugs[(first + number) % len(bugs)] for number in range(min(rotate, len(bugs)))]


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rotate", type=int, help="this many, others with every commit")
    parser.add_argument("--only", help="those whose name or origin holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    bugs = chosen(read_table(), asked.rotate, asked.only)
    print("| like | planted bug | caught by | s |\n|---|---|---|---|", flush=True)
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(try_bug, bug) for bug in bugs]):
            verdict = done.result()
            missed += verdict.test is None
            test = f"`{verdict.test}`" if verdict.test else f"**{verdict.why}**"
            print(f"| {verdict.bug.like} | {verdict.bug.name} | {test} | {verdict.seconds:.0f} |", flush=True)
    print(f"\n{len(bugs) - missed} of {len(bugs)} caught")
    return 1 if missed or not bugs else 0


if __name__ == "__main__":
    sys.exit(main())
