"""`gpudev status`: what one has, and how the server is."""

from __future__ import annotations

from typing import Any

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.values import Reservation, gpus
from gpudev_sdk.wire.account_views import MeView
from gpudev_sdk.wire.views import ServerView


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, as_json: bool) -> None:
    """What you have, and how the server is."""
    with opened(server) as calls:
        found, me, mine = calls.server(), calls.me(), calls.list()
        where = calls.api.transport.where
    if as_json:
        words.json({"server": found, "me": me, "reservations": list(mine)})
        return
    words.pairs([("server", f"{found.install} {found.version} ({where})"), *_server(found), ("you", _me(me))])
    for row in mine:
        words.say(_line(row))


def _server(found: ServerView) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, notes in sorted(found.backends.items()):
        rows.append((name, ", ".join(f"{key}: {value}" for key, value in sorted(notes.items())) or "ready"))
    for name, why in sorted(found.paused.items()):
        rows.append((f"{name} is paused", why))
    if found.gateway is None:
        rows.append(("ssh", "the way in by ssh is not up"))
    return rows


def _me(me: MeView) -> str:
    most = "" if me.max_gpus is None else f" of {me.max_gpus}"
    return (
        f"{me.user}: {me.live_reservations} of {me.max_reservations} reservations, {me.live_gpus}{most} GPUs, "
        f"{me.keys} {'key' if me.keys == 1 else 'keys'}"
    )


def _line(row: Reservation) -> str:
    end = f" until {when.both(row.expires_at)}" if row.state == "active" else ""
    start = f", starts about {when.both(row.starts_at)}" if row.starts_at else ""
    return f"  {row.name}: {gpus(row.gpu_type, row.gpus)}, {row.state}{end}{start}"
