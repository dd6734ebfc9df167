"""`gpudev cancel`: end reservations."""

from __future__ import annotations

import click

from gpudev_cli import words
from gpudev_cli.session import opened
from gpudev_sdk.client.boxes import refresh
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation


@click.command("cancel")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="All of yours.")
@click.option("--wait", is_flag=True, help="Return only when all is gone and the disk is free.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], everything: bool, wait: bool, yes: bool) -> None:
    """End reservations; their disks stay. NAME is a name, an id, or the beginning of one."""
    if bool(names) == everything:
        raise click.UsageError("say which reservation to end, or --all", context)
    with opened(context.obj) as calls:
        wanted = [row.name for row in calls.list()] if everything else list(dict.fromkeys(names))
        if everything and not yes and wanted:
            _confirm(wanted)
        ended = [calls.cancel(name) for name in wanted]
        for row in ended:
            _say(calls, row, wait)
        if ended:
            refresh(calls)
        elif everything:
            words.note("You have no reservations.")


def _confirm(names: list[str]) -> None:
    if not words.on_terminal():
        raise click.UsageError("--all needs --yes where nobody can be asked", click.get_current_context())
    click.confirm(f"End {', '.join(names)}?", abort=True, err=True)


def _say(calls: Calls, row: Reservation, wait: bool) -> None:
    kept = f"; its disk {row.disk!r} stays" if row.disk else ""
    if not wait:
        words.say(f"{row.name} is ending{kept}.")
        return
    calls.reached(str(row.id), lambda view: not view.is_live)
    words.say(f"{row.name} has ended{kept}.")
