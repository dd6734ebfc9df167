"""`gpudev login`: sign in to a server on another machine."""

from __future__ import annotations

import pathlib

import click

from gpudev_cli import consent, when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.boxes import refresh
from gpudev_sdk.client.installs import read_config
from gpudev_sdk.client.login import Means, login
from gpudev_sdk.client.login_settings import split
from gpudev_sdk.client.origins import is_address, parse_origin
from gpudev_sdk.client.places import find_places
from gpudev_sdk.domain.names import check_label


@click.command("login")
@click.argument("address", required=False, metavar="[ADDRESS|NAME]")
@click.option("--by", metavar="LOGIN", help="Which of the server's logins [default: ssh].")
@click.option("--key", metavar="FILE", help="The key to sign with [default: those that ssh would use].")
@click.option("--set", "given", metavar="KEY=VALUE", multiple=True, help="A setting of the login; any number of these.")
@click.option("--name", help="What to call the server here.")
@click.pass_context
def command(
    context: click.Context,
    address: str | None,
    by: str | None,
    key: str | None,
    given: tuple[str, ...],
    name: str | None,
) -> None:
    """Sign in. ADDRESS is what the operator gave you: https://lab:7070#sha256=…

    With NAME, sign in again as the last time, with what was --set then. With ADDRESS one begins anew.

    \b
    Examples:
      gpudev login https://lab:7070#sha256=3f…
      gpudev login https://lab:7070#sha256=3f… --by corp --set account=me
      gpudev login lab
    """
    own = split(given)
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
        origin, known_as = install.origin, name or install.name
        if by in (None, install.login):
            by, key = install.login, key or install.key or None
            own = {**dict(install.settings), **own}
    key = str(pathlib.Path(key).expanduser().absolute()) if key else None
    made = login(places, origin, Means(by=by, key=key, settings=own), name=known_as)
    words.say(f"Signed in to {made.install.name} as {made.install.user}, until {when.both(made.token.expires_at)}.")
    with opened(made.install.name) as calls:
        refresh(calls)
    consent.ask_once(places)
