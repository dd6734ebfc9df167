"""The tree of the tools image, built on this machine: a static OpenSSH, rsync, busybox and our `enter`.

The work is done by the scripts of images/tools, which its Dockerfile runs too.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import tempfile

from tests.cluster.machine.debian import packages, run

ROOT = pathlib.Path(__file__).parents[3]
TOOLS = ROOT / "images" / "tools"
#: Changing `enter.c` does not build OpenSSH again.
OF_PROGRAMS = (TOOLS / "toolchain", TOOLS / "programs")
OF_TREE = (*OF_PROGRAMS, TOOLS / "build", TOOLS / "enter.c")


def fingerprint(*paths: pathlib.Path) -> str:
    """Return a short text that is another one as soon as any of these files, or of the files in these folders, is."""
    files = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file())
    seen = hashlib.sha256()
    for file in files:
        executable = os.access(file, os.X_OK)
        seen.update(f"{file.relative_to(ROOT).as_posix()} {executable} {file.stat().st_size}\n".encode())
        seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


def programs(cache: pathlib.Path) -> pathlib.Path:
    """Return the folder with the programs that are not ours, built into the cache once."""
    built = cache / f"programs-{fingerprint(*OF_PROGRAMS)}"
    if not built.exists():
        packages(*(TOOLS / "toolchain" / "packages.txt").read_text().split())
        with tempfile.TemporaryDirectory(dir=cache, prefix="programs.") as scratch:
            work, tree = pathlib.Path(scratch, "work"), pathlib.Path(scratch, "tree")
            work.mkdir()
            tree.mkdir()
            run(TOOLS / "programs" / "build", work, tree, log=cache / "programs.log")
            tree.rename(built)
    return built


def tools_root(cache: pathlib.Path, work: pathlib.Path, tar: pathlib.Path) -> None:
    """Write the tools image's root, which has all in one folder, as a tar."""
    tree = work / "root" / "opt" / "gpudev"
    shutil.copytree(programs(cache), tree)
    run(TOOLS / "build", tree, log=cache / "tools.log")
    owned = ("--numeric-owner", "--owner=0", "--group=0")
    run("tar", "--create", *owned, "--directory", work / "root", "--file", tar, "opt", log=cache / "tools.log")
