"""The packages of Debian in a dev server are those of images/devserver/debian.lock, and none is older.

Versions move with each fix of security, which a build takes; names do so when somebody meant it. Whoever wants the very versions
builds with DEBIAN_SNAPSHOT.
"""

from __future__ import annotations

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LOCK = ROOT / "images" / "devserver" / "debian.lock"
FOUND = ROOT / "dist" / "sbom" / "devserver.lock"
HEAD = "# Debian's packages in images/devserver, as `make sbom` built it on amd64; today's are in dist/sbom/devserver.lock.\n"


def read(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


@pytest.fixture(scope="module")
def built(storage):
    """Each package of the image and its version; it is left where it can be compared and copied from."""
    buildah, references = storage
    with buildah.unpacked(references["devserver"]) as root:
        asked = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat", "${Package}=${Version}\n"]
        lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        if (root / "usr/lib/x86_64-linux-gnu").is_dir():
            FOUND.parent.mkdir(parents=True, exist_ok=True)
            FOUND.write_text(HEAD + "".join(f"{line}\n" for line in sorted(lines)))
            return read("\n".join(lines))
    pytest.skip("the lock is of amd64")


def test_a_package_is_in_a_dev_server_because_it_is_locked(built):
    assert sorted(built) == sorted(read(LOCK.read_text())), f"if it is meant so: cp dist/sbom/{FOUND.name} {LOCK}"


def test_no_package_is_older_than_it_was(built):
    locked = read(LOCK.read_text())

    older = [
        f"{name} {version} < {locked[name]}"
        for name, version in built.items()
        if name in locked and locked[name] != version
        and subprocess.run(["dpkg", "--compare-versions", version, "lt", locked[name]], check=False).returncode == 0
    ]  # fmt: skip

    assert older == []


def test_the_lock_is_sorted_and_names_a_package_once():
    lines = LOCK.read_text().splitlines(keepends=True)

    assert lines[0] == HEAD
    assert lines[1:] == sorted(lines[1:])
    assert len(read("".join(lines))) == len(lines) - 1 > 80
