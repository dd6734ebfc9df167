"""`gpudev plugins`: what is installed beside gpudev itself, and what each can do."""

from __future__ import annotations

import click
import msgspec

from gpudev_cli import words
from gpudev_sdk import plugins
from gpudev_sdk.errors import BrokenPlugin, PluginError


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin, for people and for JSON."""

    name: str
    distribution: str
    version: str
    offers: list[str]
    error: str | None = None


@click.group("plugins")
def command() -> None:
    """Backends, logins and policies that are installed."""


def _look(found: plugins.Installed) -> Listed:
    offers, error = [], None
    try:
        offers = list(plugins.describe(found.name).offers)
    except PluginError as trouble:
        error = trouble.message
    return Listed(name=found.name, distribution=found.distribution, version=found.version, offers=offers, error=error)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """What is installed. A plugin that does not load is listed with its error and disturbs nothing else."""
    found = [_look(plugin) for plugin in plugins.installed()]
    if as_json:
        words.json({"items": found})
        return
    rows = [(row.name, row.distribution, row.version, ", ".join(row.offers) or "-") for row in found]
    words.table(("NAME", "DISTRIBUTION", "VERSION", "OFFERS"), rows)
    for row in found:
        if row.error is not None:
            words.note(f"{row.name}: {row.error}")


@command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def check_plugins(names: tuple[str, ...]) -> None:
    """Load plugins and see that they are sound; exits 1 if one is not. Without NAME it is all of them."""
    wanted = names or tuple(dict.fromkeys(plugin.name for plugin in plugins.installed()))
    broken = []
    for name in wanted:
        try:
            offers = plugins.describe(name).offers
        except PluginError as error:
            if names and len(names) == 1:
                raise
            broken.append(name)
            words.note(f"{name}: {error.message}")
        else:
            words.say(f"{name}: sound; offers {', '.join(offers) or 'nothing'}")
    if broken:
        raise BrokenPlugin(f"{len(broken)} of {len(wanted)} plugins are not sound", hint=f"See {broken[0]} above.")
