"""Which Python runs supervisors and boxes, and what of it a box must see.

Nothing is installed into a box: it runs this very interpreter with the packages that are loaded here, bound read-only
where they lie, whether they came from wheels, an editable install or the system.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pathlib
import sys
import sysconfig

import attrs

from gpudev_sdk.errors import Unworkable

#: What the box's SSH server imports, beside the standard library.
_PACKAGES = ("gpudev_sdk", "asyncssh", "cryptography", "typing_extensions")
#: Needed by some builds of the above only.
_PERHAPS = ("cffi", "_cffi_backend")
_START = "import sys;sys.path+=sys.argv.pop(1).split('\\n');from gpudev_sdk.local.{module} import main;main()"


@attrs.frozen
class Interpreter:
    """A Python and where its packages are."""

    program: pathlib.Path
    #: What is added to sys.path.
    search: tuple[pathlib.Path, ...]
    #: What a box must see to run it: folders and files.
    needed: tuple[pathlib.Path, ...]

    def command(self, module: str, *arguments: str) -> list[str]:
        """Return argv that runs `main` of `gpudev_sdk.local.MODULE`, whatever the environment and current folder are."""
        search = "\n".join(map(str, self.search))
        return [str(self.program), "-I", "-S", "-c", _START.format(module=module), search, *arguments]


@functools.cache
def find_interpreter() -> Interpreter:
    """Return the interpreter that runs this process, without its virtual environment."""
    program = pathlib.Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    search, packages = [], []
    for name in _PACKAGES + _PERHAPS:
        place = _place_of(name)
        if place is None:
            if name in _PACKAGES:
                raise Unworkable(f"{name} is not installed", hint="pip install 'gpudev-sdk[server]'")
            continue
        if place.parent not in search:
            search.append(place.parent)
        packages.append(_bound(place))
    standard = {pathlib.Path(path).resolve() for path in _standard_paths()}
    needed = dict.fromkeys([*sorted(standard), *packages, program])
    return Interpreter(program, tuple(search), tuple(_outermost(list(needed))))


def _standard_paths() -> list[str]:
    return [
        sys.base_prefix,
        sys.base_exec_prefix,
        str(pathlib.Path(os.__file__).parent),
        sysconfig.get_path("platstdlib", vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix}),
    ]


def _place_of(name: str) -> pathlib.Path | None:
    """Return the folder or file of a package as it is found by import, not followed further."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return pathlib.Path(next(iter(spec.submodule_search_locations)))
    return None if spec.origin is None else pathlib.Path(spec.origin)


def _bound(place: pathlib.Path) -> pathlib.Path:
    """Return the whole of site-packages, which holds libraries beside packages, but only our own folder of a checkout."""
    folder = place.parent
    return folder if folder.name in ("site-packages", "dist-packages") else place


def _outermost(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    return [path for path in paths if not any(other != path and other in path.parents for other in paths)]
