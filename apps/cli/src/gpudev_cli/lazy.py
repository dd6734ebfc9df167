"""A group of commands that are imported only when they are run, and listed without."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from gpudev_cli import words
from gpudev_sdk.errors import GpudevError

#: What a command that passes on another's exit status exits with for failures of ours.
PASSED_ON = 125


class Passing(click.Command):
    """A command whose exit status is that of what it ran: failures of ours are kept apart from it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; an error of ours exits 125."""
        try:
            return super().invoke(ctx)
        except GpudevError as error:
            words.say_error(error.message, error.hint)
            return PASSED_ON


class LazyGroup(click.Group):
    """Knows its commands by name and a line of help; `home` is the package in which each has a module.

    The command `list` is `command` in the module `home.list`.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Mapping[str, str]],
        home: str,
        aliases: Mapping[str, str] = {},
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self._groups = groups
        self._home = home
        self._aliases = aliases

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the order in which they are shown."""
        return [name for group in self._groups.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of a name."""
        name = self._aliases.get(cmd_name, cmd_name)
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{self._home}.{name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the usage line of an alias is that of the command."""
        found, command, rest = super().resolve_command(ctx, args)
        return (self._aliases.get(found, found) if found else found), command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by their groups."""
        for title, group in self._groups.items():
            with formatter.section(title):
                also = {name: alias for alias, name in self._aliases.items()}
                rows = [(f"{name}, {also[name]}" if name in also else name, line) for name, line in group.items()]
                formatter.write_dl(rows)
