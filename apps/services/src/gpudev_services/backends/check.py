"""`gpudev plugins check NAME --backend B`: the laws that only read, tried against a live backend. A main.

Nothing is made, changed or deleted, and no server need be up. `python -m gpudev_services.backends.check -h` says the words.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import tempfile
import uuid
from collections.abc import Sequence

import attrs

from gpudev_sdk import config
from gpudev_sdk.client.api import Api
from gpudev_sdk.client.transport import LocalTransport
from gpudev_sdk.errors import EXIT_STATUS, GpudevError, InvalidRequest, NotFound, Unavailable
from gpudev_sdk.laws import Place, Result, Verdict, judge
from gpudev_sdk.laws.judge import hangs
from gpudev_sdk.providers import Context
from gpudev_sdk.wire.views import ServerView
from gpudev_services.main import data_root
from gpudev_services.up.down import PATIENCE, running
from gpudev_services.up.folder import DataFolder

#: The laws of what a place lists: where these cannot be tried, nothing was learnt of it.
_LISTS = ("2.7", "3.2")


@attrs.frozen(kw_only=True)
class Checked:
    """What came of one backend."""

    backend: str
    verdicts: list[Verdict]
    #: What the person should know of how it was asked.
    notes: tuple[str, ...] = ()


def check(folder: DataFolder, path: pathlib.Path, backend: str, plugin: str = "") -> Checked:
    """Try the laws on what `plugin` provides of a backend, or on all of it; raise if there is nothing to try."""
    table = _table(path, backend)
    providers = config.read_backend(table, backend)
    if plugin and plugin not in (table["compute"], table["storage"]):
        whose = " and ".join(sorted({table["compute"], table["storage"]}))
        raise InvalidRequest(
            f"the backend {backend} is of {whose}, not of {plugin[:60]!r}",
            hint=f"Check that: gpudev plugins check {table['compute']} --backend {backend}",
        )
    install, notes = _install(folder)
    # Providers may make folders for an install that they see for the first time; those go where nobody looks.
    with tempfile.TemporaryDirectory(prefix="gpudev-check-") as scratch:
        nowhere = Context(install_id=uuid.uuid4(), name=backend, data_folder=pathlib.Path(scratch))
        known = attrs.evolve(nowhere, install_id=install, data_folder=folder.backend(backend)) if install else None
        ours, others = (
            providers.build(known or attrs.evolve(nowhere, install_id=uuid.uuid4())),
            providers.build(nowhere),
        )
        verdicts = judge(
            Place(
                compute=ours[0] if plugin in ("", table["compute"]) else None,
                others_compute=others[0],
                storage=ours[1] if plugin in ("", table["storage"]) else None,
                others_storage=others[1],
            )
        )
    return Checked(backend=backend, verdicts=verdicts, notes=notes)


def _table(path: pathlib.Path, backend: str) -> dict[str, str]:
    """Return `[backends.NAME]` as a server would read it."""
    if not path.exists() and backend not in config.ONE_MACHINE["backends"]:
        raise NotFound(f"there is no configuration {path}", hint="Say where it is: --config FILE.")
    tables = config.read(path).backends
    if backend not in tables:
        there = ", ".join(sorted(tables)) or "none"
        raise NotFound(
            f"{path} has no backend {backend[:60]!r} (there are: {there})", hint="Add it: gpudev backend add."
        )
    return dict(tables[backend])


def _install(folder: DataFolder) -> tuple[uuid.UUID | None, tuple[str, ...]]:
    """Return the install whose server runs here; without one, whoever asks has made nothing anywhere."""
    if running(folder) is None:
        return None, ("No server is up here, so the backend was asked as a new install would; its lists are empty.",)
    try:
        view = Api(LocalTransport(folder.socket_path()), lambda: None, PATIENCE).get("/server", ServerView)
    except Unavailable:
        return None, ("The server here does not answer, so the backend was asked as a new install would.",)
    return view.install_id, ()


def say(checked: Checked, *, as_json: bool) -> None:
    """Say what came of it."""
    if as_json:
        rows = [attrs.asdict(verdict) for verdict in checked.verdicts]
        items = [{"law": row.pop("number"), "what": row.pop("says"), **row} for row in rows]
        _print(json.dumps({"backend": checked.backend, "items": items, "notes": list(checked.notes)}, indent=2))
        return
    table = [("LAW", "WHAT", "RESULT", "TOOK"), *(_row(verdict) for verdict in checked.verdicts)]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    for row in table:
        _print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for note in checked.notes:
        _complain(note)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(line: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{line}\n")


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    why = "".join(char if char.isprintable() else " " for char in verdict.why)[:160]
    result = f"{verdict.result}: {why}" if why else str(verdict.result)
    return verdict.number, verdict.says, result, f"{verdict.took_seconds:.2f} s"


def status(checked: Checked) -> int:
    """Return 1 if a law is broken; raise if the place did not even list what it has."""
    if any(verdict.result is Result.BROKEN for verdict in checked.verdicts):
        return 1
    for verdict in checked.verdicts:
        if verdict.number in _LISTS and verdict.result is Result.NOT_TRIED:
            hint = "See that the place can be reached from here, and by whom it is asked."
            raise Unavailable(f"{checked.backend} could not be asked: {verdict.why}", hint=hint)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpudev plugins check", description="Try the laws that only read.")
    parser.add_argument("plugin", nargs="?", default="")
    parser.add_argument("--backend", required=True)
    parser.add_argument("--config", type=pathlib.Path, default=None)
    parser.add_argument("--data", type=pathlib.Path, default=None)
    parser.add_argument("--json", action="store_true", dest="as_json")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check one backend; an error of ours is at most three lines."""
    arguments = _parser().parse_args(argv)
    folder = DataFolder(data_root(arguments.data))
    path = arguments.config.expanduser().absolute() if arguments.config else folder.config
    try:
        if arguments.config and not path.exists():
            raise NotFound(f"there is no configuration {path}", hint="See the name again.")
        checked = check(folder, path, arguments.backend, arguments.plugin)
        say(checked, as_json=arguments.as_json)
        done = status(checked)
    except GpudevError as error:
        _complain(f"gpudev: {error.message}")
        if error.hint:
            _complain(error.hint)
        return EXIT_STATUS.get(error.code, 1)
    if hangs(checked.verdicts):
        # A thread that waits for the place for ever would keep this process for ever.
        sys.stdout.flush()
        os._exit(done)
    return done


if __name__ == "__main__":
    sys.exit(main())
