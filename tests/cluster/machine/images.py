"""The images that the Kubernetes tests run, built here and pushed to the test machine's registry.

`python -m tests.cluster.machine.images CACHE REGISTRY` makes them by hand. Nothing is pulled: each image starts from
nothing and a tar of a root. An image's tag is the fingerprint of what it is made of, so what is pushed is not built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request

import attrs

from tests.cluster.machine import openssh
from tests.cluster.machine.debian import CannotBuild, packages, run

RECIPES = openssh.ROOT / "tests" / "cluster" / "tools" / "images"
FETCH = openssh.TOOLS / "programs" / "fetch-sources"
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@attrs.frozen(kw_only=True)
class Images:
    """The references of the images, as a pod names them."""

    #: What every box gets its sshd from: all in /opt/gpudev.
    tools: str
    #: Nothing but busybox: no libc, no /etc.
    busybox: str
    #: What most images are: glibc and bash.
    debian: str
    #: musl, and no glibc.
    musl: str
    #: Debian with a user, a folder, an environment and an entrypoint of its own.
    root_user: str


@attrs.frozen
class Recipe:
    """How one image is made."""

    name: str
    #: The root's name: two images may have the same.
    root: str
    #: What the root is made of.
    sources: tuple[pathlib.Path, ...]

    @property
    def dockerfile(self) -> pathlib.Path:
        """Return what is done with the root."""
        return RECIPES / self.name / "Dockerfile"

    @property
    def tag(self) -> str:
        """Return the fingerprint of all that the image is made of."""
        return openssh.fingerprint(*self.sources, self.dockerfile)


def _of(name: str, *more: pathlib.Path) -> tuple[pathlib.Path, ...]:
    files = (path for path in (RECIPES / name).iterdir() if path.name != "Dockerfile")
    return (*sorted(files), *more)


def recipes() -> tuple[Recipe, ...]:
    """Return the recipe of every image."""
    return (
        Recipe("tools", "tools", openssh.OF_TREE),
        Recipe("busybox", "busybox", _of("busybox")),
        Recipe("debian", "debian", _of("debian")),
        Recipe("musl", "musl", _of("musl", FETCH)),
        Recipe("root-user", "debian", _of("debian")),
    )


def make_once(cache: pathlib.Path, registry: str) -> Images:
    """Build and push every image that the registry lacks; return their references."""
    wanted = {recipe: f"{registry}/gpudev/{recipe.name}:{recipe.tag}" for recipe in recipes()}
    if not all(is_pushed(reference) for reference in wanted.values()):
        folder = cache / "images"
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            for recipe, reference in wanted.items():
                if not is_pushed(reference):
                    _make(recipe, reference, folder)
    return Images(**{recipe.name.replace("-", "_"): reference for recipe, reference in wanted.items()})


def is_pushed(reference: str) -> bool:
    """Ask the registry whether it has an image; CannotBuild when there is no registry."""
    registry, _, rest = reference.partition("/")
    name, _, tag = rest.rpartition(":")
    asked = urllib.request.Request(f"http://{registry}/v2/{name}/manifests/{tag}", method="HEAD")
    asked.add_header("Accept", MANIFESTS)
    try:
        with urllib.request.urlopen(asked, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return False
        raise CannotBuild(f"the registry at {registry} answers {error.code}: look at its log") from error
    except urllib.error.URLError as error:
        raise CannotBuild(
            f"no registry answers at {registry} ({error.reason}): start the test machine first"
        ) from error


@contextlib.contextmanager
def alone(folder: pathlib.Path):
    """Let one at a time build in this folder: tests start side by side."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(recipe: Recipe, reference: str, cache: pathlib.Path) -> None:
    began = time.monotonic()
    say(f"building {reference}")
    packages("buildah")
    with tempfile.TemporaryDirectory(dir=cache, prefix="build.") as scratch:
        context = pathlib.Path(scratch, "context")
        context.mkdir()
        shutil.copy(recipe.dockerfile, context)
        os.link(root_of(recipe, cache), context / "root.tar")
        _build_and_push(reference, context, cache / f"{recipe.name}.log")
    say(f"pushed {reference} after {time.monotonic() - began:.1f} s")


def root_of(recipe: Recipe, cache: pathlib.Path) -> pathlib.Path:
    """Return the tar of an image's root, made into the cache once."""
    tar = cache / f"{recipe.root}-{openssh.fingerprint(*recipe.sources)}.tar"
    if not tar.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix="root.") as scratch:
            work, made = pathlib.Path(scratch), pathlib.Path(scratch, "made.tar")
            if recipe.root == "tools":
                openssh.tools_root(cache, work, made)
            else:
                packages("debootstrap", *(openssh.TOOLS / "toolchain" / "packages.txt").read_text().split())
                run(RECIPES / recipe.root / "root", work, made, log=cache / f"{recipe.root}.log")
            made.rename(tar)
    return tar


def _build_and_push(reference: str, context: pathlib.Path, log: pathlib.Path) -> None:
    """Work in a storage of our own that is gone afterwards: what the machine's buildah has is not touched."""
    storage = context.parent
    places = ("--root", storage / "storage", "--runroot", storage / "run", "--storage-driver", "vfs")
    policy = ("--signature-policy", RECIPES / "policy.json")
    env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    run("buildah", *places, "bud", *policy, "--format", "oci", "--tag", reference, context, log=log, env=env)
    target = f"docker://{reference}"
    run("buildah", *places, "push", *policy, "--tls-verify=false", reference, target, log=log, env=env)


def say(line: str) -> None:
    print(f"images: {line}", file=sys.stderr, flush=True)


def main() -> None:
    """Make the images and print their references."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.cluster.machine.images CACHE REGISTRY")
    try:
        made = make_once(pathlib.Path(sys.argv[1]).absolute(), sys.argv[2])
    except CannotBuild as error:
        sys.exit(f"images: {error}")
    for name, reference in attrs.asdict(made).items():
        print(name, reference)


if __name__ == "__main__":
    main()
