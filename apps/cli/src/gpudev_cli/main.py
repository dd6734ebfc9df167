"""The `gpudev` command: finds the command that was asked for, runs it, and says in at most three lines what went wrong.

Nothing heavy is imported here: `gpudev --help` is to be there at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import TracebackType

import click

from gpudev_cli import words
from gpudev_cli.lazy import PASSED_ON, LazyGroup, Passing
from gpudev_sdk.errors import EXIT_STATUS, GpudevError

DEBUG = "GPUDEV_DEBUG"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

GROUPS = {
    "Boxes": {
        "avail": "what is free, and who holds what until when",
        "reserve": "ask for a dev server, wait for it, and say how to get in",
        "wait": "until a box is up",
        "list": "your reservations",
        "show": "one reservation in full, with its history",
        "connect": "open a terminal in a box",
        "exec": "run a command in a box",
        "cp": "copy files to or from a box",
        "extend": "more time for a reservation",
        "cancel": "end a reservation; its disk stays",
    },
    "Your things": {
        "disk": "your disks and their snapshots",
        "key": "your public keys",
        "status": "what you have, and how the server is",
        "whoami": "who you are there",
        "login": "sign in to a server on another machine",
        "logout": "forget a server's sign-in",
        "config": "what this client knows, and the ssh configuration",
    },
    "The server": {
        "up": "start a server on this machine",
        "down": "stop it; boxes live on",
        "admin": "people, health, backup: for who runs the server",
        "backend": "add, list or remove places where boxes run",
        "plugins": "what is installed beside gpudev itself",
        "completion": "completion for your shell",
    },
}
ALIASES = {"ls": "list", "ssh": "connect", "release": "cancel"}


@click.group(cls=LazyGroup, groups=GROUPS, aliases=ALIASES, home="gpudev_cli.commands", context_settings=CONTEXT)
@click.option(
    "-s", "--server", metavar="NAME", help="The server that is meant: a name from `gpudev config show`, or its address."
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=words.print_version, help="Say the version."
)
@click.pass_context
def cli(context: click.Context, server: str | None) -> None:
    """Share scarce GPUs as reserved dev servers."""
    context.obj = server
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """Run the command line and exit with its status."""
    sys.excepthook = _unexpected
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has left, which is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(128 + signal.SIGPIPE)
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; errors are said on stderr."""
    try:
        result = cli.main(args=arguments, prog_name="gpudev", standalone_mode=False)
    except GpudevError as error:
        words.say_error(error.message, error.hint)
        return EXIT_STATUS.get(error.code, 1)
    except click.UsageError as error:
        words.say_usage(error)
        return PASSED_ON if error.ctx is not None and isinstance(error.ctx.command, Passing) else 2
    except click.ClickException as error:
        words.say_error(error.format_message(), None)
        return 1
    except (click.Abort, KeyboardInterrupt):
        words.say_error("interrupted", None)
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        words.say_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", None)
        return 1
    return result if isinstance(result, int) else 0


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say a fault of ours in one line and keep the rest in a file."""
    if os.environ.get(DEBUG):
        sys.__excepthook__(kind, error, trace)
        return
    if issubclass(kind, KeyboardInterrupt):
        # A Ctrl-C after the command's own end; the interpreter now ends itself by the signal, as shells expect.
        words.say_error("interrupted", None)
        return
    from gpudev_cli.faults import keep_fault

    kept = keep_fault(kind, error, trace)
    words.say_error(f"this is a fault of gpudev itself: {kind.__name__}", f"Tell its authors; the trace is in {kept}.")
