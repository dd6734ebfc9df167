"""`gpudev completion`: completion for one's shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete gpudev's commands: eval "$(gpudev completion bash)"."""
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"there is no completion for {shell}", context)
    click.echo(made(context.find_root().command, {}, "gpudev", "_GPUDEV_COMPLETE").source())
