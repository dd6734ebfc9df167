"""Builds images with buildah, in a storage of our own; what is built of the same layers is quick the next time.

What pip and apt need here to reach anything (an index, a mirror, certificates) is lent to a build and stays in no image.
"""

from __future__ import annotations

import ast
import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import attrs

from tests.cluster.machine.debian import CannotBuild, run

POLICY = pathlib.Path(__file__).parents[1] / "tools" / "images" / "policy.json"
#: What of pip's settings says where things come from.
OF_PIP = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
#: Where pip's settings are, the later the stronger.
SCOPES = ("global", "user", "site", ":env:")
CERTIFICATES = "/run/gpudev-build/ca.crt"


@attrs.frozen
class Buildah:
    """One storage, for one process at a time."""

    folder: pathlib.Path
    driver: str

    @classmethod
    def into(cls, folder: pathlib.Path) -> Buildah:
        """Return one that stores in that folder: as overlays, or where the kernel cannot have them here, as copies."""
        for driver in ("overlay", "vfs"):
            made = cls(folder / driver, driver)
            asked = subprocess.run(made._command("info"), capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                return made
        raise CannotBuild(f"buildah has no storage in {folder}: `buildah info` says\n{asked.stderr}")

    def build(
        self, reference: str, dockerfile: pathlib.Path, context: pathlib.Path, base: str, lent: list[str]
    ) -> None:
        """Build an image; a build that broke off goes on where it was."""
        words = ["bud", "--layers", "--pull-never", "--format", "oci", "--signature-policy", POLICY, "--tag", reference]
        words += ["--build-arg", f"BASE={base}"] if base else []
        words += ["--file", dockerfile, *(f"--volume={each}" for each in lent), context]
        self._run(*words)

    def push(self, reference: str) -> None:
        """Push an image to the registry that its name begins with."""
        self._run("push", "--signature-policy", POLICY, "--tls-verify=false", reference, f"docker://{reference}")

    def has(self, reference: str) -> bool:
        """Tell whether an image is in the storage."""
        return reference in self.references()

    def references(self) -> list[str]:
        """Return what images there are."""
        return self._ask("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()

    def size(self, reference: str) -> str:
        """Return how big an image is when it is unpacked, as buildah says it."""
        sizes = self._ask("images", "--format", "{{.Name}}:{{.Tag}} {{.Size}}").splitlines()
        return next(line.removeprefix(f"{reference} ") for line in sizes if line.startswith(f"{reference} "))

    @contextlib.contextmanager
    def unpacked(self, reference: str) -> Iterator[pathlib.Path]:
        """Give the root of an image, to look at."""
        container = self._ask("from", "--pull-never", "--signature-policy", POLICY, reference)
        try:
            yield pathlib.Path(self._ask("mount", container))
        finally:
            self._ask("rm", container)

    def forget_others(self, wanted: set[str]) -> None:
        """Drop what was built of what is no more, and the containers of builds that were ended."""
        self._ask("rm", "--all")
        others = [each for each in self.references() if each not in wanted and "<none>" not in each]
        if others:
            self._ask("rmi", *others)

    def _command(self, *words: object) -> list[str]:
        places = ("--root", self.folder / "storage", "--runroot", self.folder / "run", "--storage-driver", self.driver)
        return [str(word) for word in ("buildah", *places, *words)]

    def _run(self, *words: object) -> None:
        log = self.folder.parent / "shipped.log"
        run(*self._command(*words), log=log, env={**os.environ, "BUILDAH_ISOLATION": "chroot"})

    def _ask(self, *words: object) -> str:
        return subprocess.run(self._command(*words), capture_output=True, text=True, check=False).stdout.strip()


def for_apt(scratch: pathlib.Path) -> list[str]:
    """Return what to lend to a build that calls apt: the mirrors of this machine."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages", "Component: main"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")
    suites = {"Debian": "bookworm", "Debian-Security": "bookworm-security"}
    mirrors = sorted({tuple(line.split(" ", 1)) for line in said if line.partition(" ")[2] in suites})
    if not mirrors:
        raise CannotBuild("apt knows no mirror of Debian: run apt-get update on Debian 12 or newer")
    written = scratch / "sources.list"
    written.write_text("".join(f"deb {address} {suites[label]} main\n" for address, label in mirrors))
    return [f"{written}:/etc/apt/sources.list:ro"]


def for_pip(scratch: pathlib.Path) -> list[str]:
    """Return what to lend to a build that calls pip: its index and the certificates it trusts here."""
    asked = [sys.executable, "-m", "pip", "config", "list"]
    settings: dict[str, str] = {}
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    for scope in SCOPES:
        for line in said:
            key, _, value = line.partition("=")
            if key.startswith(f"{scope}."):
                settings[key.removeprefix(f"{scope}.")] = ast.literal_eval(value)
    lines = [f"{key} = {' '.join(settings[key].split())}" for key in OF_PIP if key in settings]
    lent = []
    trusted = settings.get("cert") or os.environ.get("SSL_CERT_FILE")
    if trusted and pathlib.Path(trusted).is_file():
        lines.append(f"cert = {CERTIFICATES}")
        lent.append(f"{pathlib.Path(trusted).resolve()}:{CERTIFICATES}:ro")
    written = scratch / "pip.conf"
    written.write_text("\n".join(["[global]", *lines, ""]))
    return [*lent, f"{written}:/etc/pip.conf:ro"]
