"""The words of `gpudev backend …`, and what each does with them."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Callable

import attrs

from gpudev_sdk.errors import Conflict, InvalidRequest
from gpudev_services.backends import file
from gpudev_services.up.folder import DataFolder


def add_words(parser: argparse.ArgumentParser) -> None:
    """Give a parser the words of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = {name: actions.add_parser(name) for name in ("add", "list", "remove")}
    for each in made.values():
        each.add_argument("--data", type=pathlib.Path, default=None)
        each.add_argument("--config", type=pathlib.Path, default=None)
    made["add"].add_argument("provider")
    made["add"].add_argument("--name", default="")
    made["add"].add_argument("--storage", default="")
    made["add"].add_argument("--set", action="append", default=[], dest="given")
    made["list"].add_argument("--json", action="store_true", dest="as_json")
    made["remove"].add_argument("name")
    made["remove"].add_argument("--take-down", action="store_true")
    for name in ("add", "remove"):
        made[name].add_argument("--yes", action="store_true")


def run(arguments: argparse.Namespace, folder: DataFolder) -> int:
    """Do what the words say."""
    path = arguments.config.expanduser().absolute() if arguments.config else folder.config
    if arguments.action != "list":
        file.check_ours(path)
    _RUN[arguments.action](arguments, folder, path)
    return 0


def _add(arguments: argparse.Namespace, folder: DataFolder, path: pathlib.Path) -> None:
    from gpudev_services.backends.add import Wanted, add
    from gpudev_services.backends.values import split

    wanted = Wanted(
        provider=arguments.provider,
        name=arguments.name or arguments.provider,
        storage=arguments.storage,
        given=split(arguments.given),
    )
    add(path, wanted, _say, _confirm(yes=arguments.yes))


def _list(arguments: argparse.Namespace, folder: DataFolder, path: pathlib.Path) -> None:
    from gpudev_services.backends.show import backends

    found = backends(folder, path)
    if arguments.as_json:
        _say(json.dumps({"items": [attrs.asdict(each) for each in found]}, indent=2))
        return
    head = ("NAME", "COMPUTE", "STORAGE", "UP")
    up = {True: "yes", False: "from the next start", None: "no server answers"}
    rows = [head, *((each.name, each.compute, each.storage, up[each.up]) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for each in found:
        if each.error is not None:
            sys.stderr.write(f"{each.name}: {each.error}\n")


def _remove(arguments: argparse.Namespace, folder: DataFolder, path: pathlib.Path) -> None:
    from gpudev_services.backends.remove import remove

    remove(folder, path, arguments.name, _say, _confirm(yes=arguments.yes), take_down=arguments.take_down)


_RUN: dict[str, Callable[[argparse.Namespace, DataFolder, pathlib.Path], None]] = {
    "add": _add,
    "list": _list,
    "remove": _remove,
}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _confirm(*, yes: bool) -> Callable[[str], None]:
    """Return what asks a person, once, and raises if the answer is no; it asks nobody where --yes was given."""

    def confirm(question: str) -> None:
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InvalidRequest(f"this wants a yes: {question}", hint="Nobody can be asked here; say it with --yes.")
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Conflict("nothing was changed")

    return confirm
