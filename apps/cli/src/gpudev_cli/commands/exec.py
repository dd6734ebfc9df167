"""`gpudev exec`: a command in a box."""

from __future__ import annotations

import sys

import click

from gpudev_cli.lazy import Passing
from gpudev_cli.running import run_in, way_to
from gpudev_sdk.client.shell import join, ssh


@click.command("exec", cls=Passing, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_obj
def command(server: str | None, name: str, arguments: tuple[str, ...]) -> int:
    """Run a command in a box, with your stdin: `gpudev exec work -- python train.py --lr 0.1`.

    The arguments arrive as they are; for a pipe or a variable of the box use `-- sh -c '…'`. The exit status is that of the
    command; failures of gpudev itself exit 125.
    """
    if arguments[0] == "--":
        arguments = arguments[1:]
    if not arguments:
        raise click.UsageError("the command is missing", click.get_current_context())
    box = way_to(server, name)
    terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-T"]
    return run_in(server, box, lambda way: ssh(way, *terminal, command=join(arguments)))
