"""What the command line says, and how: errors, tables, JSON. Every text that came from elsewhere is cleaned first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

#: The longest line of an error.
LONGEST = 300
COLOURS = {"active": "green", "queued": "yellow", "preparing": "cyan", "stopping": "magenta", "failed": "red"}


def clean(text: object, limit: int = LONGEST) -> str:
    """Return a text as one line that cannot steer a terminal."""
    line = "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in str(text)).rstrip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def say_error(message: str, hint: str | None) -> None:
    """Say what went wrong on stderr, and in a last line what to do next."""
    click.echo(click.style("gpudev: ", fg="red") + clean(message), err=True)
    if hint:
        click.echo(clean(hint), err=True)


def say_usage(error: click.UsageError) -> None:
    """Say what is wrong with a command line in three lines; a group without a command shows its help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.message, err=True)
        return
    say_error(error.format_message(), None)
    if error.ctx is not None:
        click.echo(clean(error.ctx.get_usage()), err=True)
        click.echo(f"Help: {error.ctx.command_path} -h", err=True)


def say(text: object = "") -> None:
    """Say a line on stdout."""
    click.echo(clean(text, 4000))


def note(text: object) -> None:
    """Say a line on stderr: what goes on, as against what was asked for."""
    click.echo(clean(text, 1000), err=True)


def state(word: str) -> str:
    """Return a state in its colour; `click.echo` takes the colour out where nobody sees it."""
    return click.style(word, fg=COLOURS.get(word))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a head, as wide as they need to be; nothing but the head is bold."""
    shown = [[clean(cell, 200) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *shown]) for column in range(len(head))]
    for number, row in enumerate([list(head), *shown]):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else _coloured(line, row))


def _coloured(line: str, row: Sequence[str]) -> str:
    first = row[0].split(" ")[0]
    return state(first) + line[len(first) :] if first in COLOURS and line.startswith(first) else line


def pairs(rows: Sequence[tuple[str, object]]) -> None:
    """Print names and values, leaving out what there is nothing to say of."""
    given = [(name, clean(value, 1000)) for name, value in rows if value not in (None, "")]
    width = max((len(name) for name, _ in given), default=0)
    for name, value in given:
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {value}")


def json(value: Any) -> None:
    """Print a view as JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def on_terminal() -> bool:
    """Say whether a person is there to be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the version and exit."""
    if value and not context.resilient_parsing:
        import importlib.metadata

        click.echo(f"gpudev {importlib.metadata.version('gpudev-cli')}")
        context.exit()
