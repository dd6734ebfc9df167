"""Makes the skeleton of a plugin: a distribution that works and keeps every law, with folders where a cloud will be."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import pathlib
import shutil
import string
from collections.abc import Mapping

import attrs

from gpudev_sdk import plugins
from gpudev_sdk.domain.names import check_name
from gpudev_sdk.errors import Conflict, InvalidRequest, NotAllowed

#: What a plugin can be made to offer, and the class that is the base of it.
OFFERS = {kind: base.__name__ for kind, (_, base) in plugins.OFFERS.items() if base is not None}
#: Distributions of gpudev itself, and keys that stand beside a provider's own table in the configuration.
RESERVED = frozenset({"sdk", "cli", "services", "compute", "storage", "provider", "identity", "enrol", "settings"})
#: What the suites of storage import, beside what all do.
_FOR_DISKS = "import contextlib\nimport pathlib\nimport uuid\nfrom collections.abc import Iterator\n\n"


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be made."""

    name: str
    folder: pathlib.Path
    offers: tuple[str, ...] = tuple(OFFERS)


def make(wanted: Wanted) -> pathlib.Path:
    """Make the distribution and return its folder; nothing is overwritten, and nothing is left half made."""
    _refuse_name(wanted.name)
    target = wanted.folder / f"gpudev-{wanted.name}"
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise Conflict(f"{target} is there already", hint="Take another name or another --dir, or move it away.")
    half = wanted.folder / f".gpudev-{wanted.name}-{os.getpid()}"
    try:
        try:
            _write(half, wanted)
            half.rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        raise NotAllowed(
            f"nothing can be made in {wanted.folder}: {error.strerror}", hint="Give a folder of your own with --dir."
        ) from error
    return target


def _refuse_name(name: str) -> None:
    check_name(name, kind="plugin")
    if not name[0].isalpha():
        raise InvalidRequest(f"{name!r} cannot name a plugin: it begins with a digit", hint="Begin with a letter.")
    if name in RESERVED:
        raise InvalidRequest(f"{name!r} is reserved and cannot name a plugin", hint="Choose another name.")
    taken = {plugin.name: plugin.distribution for plugin in plugins.installed()}
    if name in taken:
        raise Conflict(f"a plugin {name!r} is installed: it is of {taken[name]}", hint="Choose another name.")


def _write(folder: pathlib.Path, wanted: Wanted) -> None:
    words = _words(wanted)
    source = folder / "src" / words["package"]
    source.mkdir(parents=True)
    (folder / "tests").mkdir()
    for path, name in {
        folder / "pyproject.toml": "pyproject",
        folder / "README.md": "readme",
        source / "__init__.py": "package",
        source / "plugin.py": "plugin",
        source / "settings.py": "settings",
        source / "errors.py": "errors",
        folder / "tests" / "test_contract.py": "tests",
    }.items():
        path.write_text(_filled(name, words), encoding="utf-8")
    for offer in wanted.offers:
        (source / f"{offer}.py").write_text(_filled(offer, words), encoding="utf-8")
    (source / "py.typed").touch()


def _words(wanted: Wanted) -> dict[str, str]:
    """Return what the templates are filled with; what only some providers need is put together here."""
    package = f"gpudev_{wanted.name.replace('-', '_')}"
    title = "".join(word.capitalize() for word in wanted.name.split("-"))
    words = {
        "name": wanted.name,
        "package": package,
        "title": title,
        "version": importlib.metadata.version("gpudev-sdk"),
        "bases": ", ".join(sorted(OFFERS[offer] for offer in wanted.offers)),
        "offers": ", ".join(wanted.offers),
    }
    named = {
        offer: {"offer": offer, "base": OFFERS[offer], "class": f"{title}{offer.capitalize()}"} for offer in OFFERS
    }
    hooks = [_filled("hook", words | named[offer]) for offer in wanted.offers]
    parts = ("plugin", *wanted.offers)
    suites = {"compute": ["ComputeContract"], "storage": ["SnapshotContract", "StorageContract"]}
    suites |= {"identity": ["IdentityContract"], "plugin": ["PluginContract"]}
    keeps_disks, lets_in = ("storage" in wanted.offers, "identity" in wanted.offers)
    modules = {offer: f"{title}{offer.capitalize()}" for offer in wanted.offers}
    modules |= {"settings": f"{title}Settings"} if lets_in else {}
    imports = ["import pytest"] if lets_in else []
    imports += [f"from {package}.{module} import {modules[module]}" for module in sorted(modules)]
    return words | {
        "hooks": "\n\n".join(hooks),
        "imports": "\n".join(imports),
        "standard": _FOR_DISKS if keeps_disks else "",
        "domain": "from gpudev_sdk.domain.disk import Mount\n" if keeps_disks else "",
        "suites": ", ".join(sorted(suite for part in parts for suite in suites[part])),
        "tests": "\n\n".join(_filled(f"test_{offer}", words) for offer in wanted.offers),
        "backend": _backend(wanted),
    }


def _backend(wanted: Wanted) -> str:
    """Return what an operator writes to use it."""
    lines = []
    if {"compute", "storage"} & set(wanted.offers):
        lines.append("[backends.shelf]")
        lines += [f'{key} = "{wanted.name if key in wanted.offers else "local"}"' for key in ("compute", "storage")]
    if "identity" in wanted.offers:
        lines += [*([""] if lines else []), f"[logins.{wanted.name}]", f'provider = "{wanted.name}"', ""]
        lines += [f"[logins.{wanted.name}.{wanted.name}]", 'word = "a long word that people share"']
    return "\n".join(lines)


def _filled(name: str, words: Mapping[str, str]) -> str:
    template = importlib.resources.files("gpudev_cli.kit") / "skeleton" / f"{name}.template"
    return string.Template(template.read_text(encoding="utf-8")).substitute(words)
