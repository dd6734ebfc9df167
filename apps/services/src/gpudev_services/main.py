"""The command line of the services; `gpudev up` and `gpudev down` come here too."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

from gpudev_sdk.errors import EXIT_STATUS, GpudevError
from gpudev_services.backends.command import add_words as add_backend_words
from gpudev_services.cluster import words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpudev-services", description="The services of gpudev.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = _command(commands, "up", "everything in one process, on this machine")
    up.add_argument("--config", type=pathlib.Path, metavar="FILE", help="configuration (default: DATA/config.toml)")
    up.add_argument("--listen", metavar="HOST:PORT", help="let other machines in, over TLS")
    up.add_argument("--detach", action="store_true", help="go on in the background")
    up.add_argument("--log-to", type=pathlib.Path, help=argparse.SUPPRESS)
    down = _command(commands, "down", "end the up of a folder; boxes go on")
    down.add_argument("--force", action="store_true", help="also while others have boxes here")
    restore = _command(commands, "restore", "put the database back from a backup, while gpudev is down")
    restore.add_argument("file", type=pathlib.Path, help="what `gpudev admin backup` wrote")
    backend = commands.add_parser("backend", help="add, list or remove backends in the configuration")
    add_backend_words(backend)
    processor = _command(
        commands, "processor", "workers in a process of their own: for an up that runs, or with --secrets"
    )
    words.add_processor(processor)
    words.add_migrate(commands.add_parser("migrate", help="bring a database up to this version"))
    words.add_words(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=about, description=about)
    made.add_argument("--data", type=pathlib.Path, default=None, help="the install's folder (default: $GPUDEV_DATA)")
    return made


def data_root(given: pathlib.Path | None) -> pathlib.Path:
    """Return the install's folder: what was given, $GPUDEV_DATA, or the user's own."""
    if given is not None:
        return given.expanduser().absolute()
    if os.environ.get("GPUDEV_DATA"):
        return pathlib.Path(os.environ["GPUDEV_DATA"]).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return pathlib.Path(base).expanduser().absolute() / "gpudev"


def _up(arguments: argparse.Namespace) -> int:
    from gpudev_services.up.folder import DataFolder

    folder = DataFolder(data_root(arguments.data))
    if arguments.detach:
        from gpudev_services.up.detach import detach

        passed = ["--config", str(arguments.config.absolute())] if arguments.config else []
        return detach(folder, passed + (["--listen", arguments.listen] if arguments.listen else []))
    from gpudev_services import logs
    from gpudev_services.up import front, life, report

    configuration = life.read_configuration(folder, arguments.config, arguments.listen)
    if arguments.log_to is None:
        logs.to_terminal()
    else:
        logs.to_file(arguments.log_to)

    def ready(back: life.Back, doors: front.Front) -> None:
        report.say(back, doors)
        if arguments.log_to is not None:
            logs.leave_terminal(arguments.log_to)

    life.run(folder, configuration, ready)
    return 0


def _down(arguments: argparse.Namespace) -> int:
    from gpudev_services.up.down import down
    from gpudev_services.up.folder import DataFolder

    folder = DataFolder(data_root(arguments.data))
    down(folder, force=arguments.force)
    print(f"gpudev is down in {folder.root}; its boxes go on and are found again by the next up")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from gpudev_services.up.folder import DataFolder
    from gpudev_services.up.restore import restore

    print(restore(DataFolder(data_root(arguments.data)), arguments.file.absolute()))
    return 0


def _backend(arguments: argparse.Namespace) -> int:
    from gpudev_services.backends.command import run
    from gpudev_services.up.folder import DataFolder

    return run(arguments, DataFolder(data_root(arguments.data)))


def _processor(arguments: argparse.Namespace) -> int:
    if arguments.secrets is not None:
        from gpudev_services.cluster import mains

        return mains.processor(arguments)
    from gpudev_services import logs
    from gpudev_services.processor import run
    from gpudev_services.up.folder import DataFolder

    logs.to_terminal()
    run(DataFolder(data_root(arguments.data)), arguments.config)
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    if arguments.dsn_file is None:
        from gpudev_services.cluster import mains

        return mains.migrate(arguments)
    from gpudev_sdk.store.migrate import migrate

    applied = migrate(arguments.dsn_file.read_text(encoding="utf-8").strip())
    print("\n".join(applied) or "nothing to do")
    return 0


_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "restore": _restore,
    "backend": _backend,
    "processor": _processor,
    "migrate": _migrate,
}


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command in _RUN:
        return _RUN[arguments.command](arguments)
    from gpudev_services.cluster import mains

    return mains.RUN[arguments.command](arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an error of ours is at most three lines, the last of which says what to do next."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except GpudevError as error:
        print(f"gpudev: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return EXIT_STATUS.get(error.code, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read what we say has left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
