"""`gpudev logout`: forget a server's sign-in."""

from __future__ import annotations

import click

from gpudev_cli import words
from gpudev_sdk.client.boxes import forget
from gpudev_sdk.client.installs import read_config
from gpudev_sdk.client.login import logout
from gpudev_sdk.client.places import find_places
from gpudev_sdk.errors import NotSignedIn


@click.command("logout")
@click.argument("name", required=False)
@click.pass_obj
def command(server: str | None, name: str | None) -> None:
    """Forget a server's sign-in and have its token revoked. Boxes and disks stay."""
    places = find_places()
    wanted = name or server or read_config(places).default
    if wanted is None:
        raise NotSignedIn("you are signed in nowhere", hint="The server on this machine needs no sign-in.")
    heard = logout(places, wanted)
    forget(places, wanted)
    words.say(f"Signed out of {wanted}.")
    if not heard:
        words.note("The server could not be told; its token ends by itself within 8 hours.")
