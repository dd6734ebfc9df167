"""`gpudev backend`: the places where boxes run, in the configuration of the server on this machine."""

from __future__ import annotations

from typing import Any

import click

from gpudev_cli.services import become_service

DATA = click.option("--data", metavar="FOLDER", help="The server's data folder [default: as for `gpudev up`].")
CONFIG = click.option("--config", metavar="FILE", help="Its configuration [default: config.toml in the data folder].")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group("backend")
def command() -> None:
    """The places where boxes run, in the configuration of the server on this machine."""


@command.command("add")
@click.argument("provider")
@click.option("--name", metavar="NAME", help="What to call it [default: as the provider].")
@click.option("--storage", metavar="PROVIDER", help="What keeps its disks [default: the provider itself].")
@click.option("--set", "given", metavar="KEY=VALUE", multiple=True, help="A setting; any number of these.")
@YES
@DATA
@CONFIG
def add(provider: str, given: tuple[str, ...], yes: bool, **where: Any) -> None:
    """Add a backend. One that can be made from nothing, such as a kind cluster, is made too, or adopted.

    Numbers, true and false, and lists (a,b) are read as the setting needs them; KEY may be a.b. Nothing is written that
    a server would not start with.

    \b
    Examples:
      gpudev backend add kind
      gpudev backend add kind --name lab --set cluster=lab --set workers=2
      gpudev backend add kube --set context=prod --set namespace=boxes --yes
    """
    sets = [f"--set={pair}" for pair in given]
    become_service(["backend", "add", *_given(where), *sets, *(["--yes"] if yes else []), "--", provider])


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@DATA
@CONFIG
def list_backends(as_json: bool, **where: Any) -> None:
    """What is configured, whether a server would start with it, and whether one has it."""
    become_service(["backend", "list", *_given(where), *(["--json"] if as_json else [])])


@command.command("remove")
@click.argument("name")
@click.option("--take-down", is_flag=True, help="Delete what `add` made as well, with all disks in it.")
@YES
@DATA
@CONFIG
def remove(name: str, take_down: bool, yes: bool, **where: Any) -> None:
    """Remove a backend. Refused while anybody has reservations or disks there.

    \b
    Examples:
      gpudev backend remove lab
      gpudev backend remove kind --take-down
    """
    flags = [*(["--take-down"] if take_down else []), *(["--yes"] if yes else [])]
    become_service(["backend", "remove", *_given(where), *flags, "--", name])


def _given(where: dict[str, Any]) -> list[str]:
    """Return the options that were given, as words."""
    return [f"--{option}={value}" for option, value in where.items() if value]
