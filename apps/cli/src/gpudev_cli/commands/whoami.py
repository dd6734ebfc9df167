"""`gpudev whoami`: who one is there."""

from __future__ import annotations

import click

from gpudev_cli import words
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.connecting import open_api
from gpudev_sdk.client.places import find_places
from gpudev_sdk.client.targets import LOCAL, find_target
from gpudev_sdk.errors import Unavailable


@click.command("whoami")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, as_json: bool) -> None:
    """Who you are there. While the server is away it says as whom you signed in, and fails."""
    places = find_places()
    target = find_target(places, server)
    try:
        with Calls(open_api(places, target), places, target) as calls:
            me = calls.me()
    except Unavailable:
        install = target.install
        if install is not None and not as_json:
            words.say(f"{install.user or 'unknown'} on {install.name} ({install.origin.url})")
        raise
    if as_json:
        words.json(me)
        return
    where = (
        "the server on this machine" if target.name == LOCAL else f"{target.name} ({target.address.partition('#')[0]})"
    )
    words.say(f"{me.user} on {where}{', its owner' if me.is_admin else ''}")
