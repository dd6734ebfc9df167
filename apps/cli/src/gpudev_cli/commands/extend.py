"""`gpudev extend`: more time."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.commands.show import only_one
from gpudev_cli.durations import DURATION
from gpudev_cli.session import opened


@click.command("extend")
@click.argument("words_", nargs=-1, metavar="[NAME] TIME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, words_: tuple[str, ...], as_json: bool) -> None:
    """More time for a reservation, counted from its end: `gpudev extend work 2h`. Without NAME it is your only one."""
    if len(words_) not in (1, 2):
        raise click.UsageError("say how much time to add, such as 2h", context)
    more = DURATION.convert(words_[-1], None, context)
    with opened(context.obj) as calls:
        name = words_[0] if len(words_) == 2 else str(only_one(calls).id)
        row = calls.extend(name, more.total_seconds() / 3600)
    if as_json:
        words.json(row)
        return
    words.say(
        f"{row.name} has time until {when.both(row.expires_at)}." if row.expires_at else f"{row.name} has more time."
    )
