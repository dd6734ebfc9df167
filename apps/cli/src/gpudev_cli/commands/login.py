"""`gpudev login`: sign in to a server on another machine."""

from __future__ import annotations

import pathlib

import click

from gpudev_cli import consent, when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.boxes import refresh
from gpudev_sdk.client.installs import read_config
from gpudev_sdk.client.login import login
from gpudev_sdk.client.origins import is_address, parse_origin
from gpudev_sdk.client.places import find_places
from gpudev_sdk.domain.names import check_label


@click.command("login")
@click.argument("address", required=False, metavar="[ADDRESS|NAME]")
@click.option("--by", metavar="LOGIN", help="Which of the server's logins [default: ssh].")
@click.option("--key", metavar="FILE", help="The key to sign with [default: those that ssh would use].")
@click.option("--name", help="What to call the server here.")
@click.pass_context
def command(context: click.Context, address: str | None, by: str | None, key: str | None, name: str | None) -> None:
    """Sign in with your ssh key. ADDRESS is what the operator gave you: https://lab:7070#sha256=…"""
    places = find_places()
    config = read_config(places)
    wanted = address or context.obj or places.server or config.default
    if wanted is None:
        raise click.UsageError("say where: gpudev login https://HOST:PORT#sha256=…", context)
    if name is not None:
        check_label(name, kind="name of a server")
    if is_address(wanted):
        origin, known_as = parse_origin(wanted), name
    else:
        install = config.get(wanted)
        origin, known_as, by = install.origin, name or install.name, by or install.login
        key = key or install.key or None
    key = str(pathlib.Path(key).expanduser().absolute()) if key else None
    made = login(places, origin, by=by, name=known_as, key=key)
    words.say(f"Signed in to {made.install.name} as {made.install.user}, until {when.both(made.token.expires_at)}.")
    with opened(made.install.name) as calls:
        refresh(calls)
    consent.ask_once(places)
