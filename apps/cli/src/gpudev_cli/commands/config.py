"""`gpudev config`: what this client knows, and the ssh configuration. None of it needs a server."""

from __future__ import annotations

import click

from gpudev_cli import words
from gpudev_cli.consent import set_include
from gpudev_sdk.client.boxes import ssh_config
from gpudev_sdk.client.include import is_enabled
from gpudev_sdk.client.installs import read_config
from gpudev_sdk.client.places import find_places


@click.group("config")
def command() -> None:
    """What this client knows, and the ssh configuration."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """The servers you signed in to, and where things lie."""
    places = find_places()
    config = read_config(places)
    default = None if places.data_named else config.default
    servers = [
        {"name": install.name, "origin": str(install.origin), "user": install.user, "default": install.name == default}
        for install in config.installs
    ]
    facts = {
        "config": str(places.config),
        "data": str(places.data),
        "ssh_config": str(ssh_config(places)),
        "ssh_include": is_enabled(places),
        "default": places.server or default or "local",
    }
    if as_json:
        words.json({**facts, "servers": servers})
        return
    words.pairs([(name.replace("_", " "), value) for name, value in facts.items()])
    for server in servers:
        words.say(f"{server['name']}: {server['origin']} as {server['user'] or 'unknown'}")


@command.command("path")
@click.argument("what", type=click.Choice(["config", "data", "ssh"]), default="config")
def path(what: str) -> None:
    """Where something lies: this client's folder, the local server's, or the ssh configuration."""
    places = find_places()
    click.echo({"config": places.config, "data": places.data, "ssh": ssh_config(places)}[what])


@command.command("ssh-include")
@click.argument("wanted", type=click.Choice(["enable", "disable"]))
def ssh_include(wanted: str) -> None:
    """Put the Include line for your boxes first in ~/.ssh/config, or take it out."""
    changed = set_include(find_places(), wanted=wanted == "enable")
    words.say(
        f"The Include line is {'in' if wanted == 'enable' else 'out of'} ~/.ssh/config{'' if changed else ' already'}."
    )
