"""`gpudev plugins`: what is installed beside gpudev itself, what each can do, and the beginning of one of your own."""

from __future__ import annotations

import importlib.util
import pathlib

import click
import msgspec

from gpudev_cli import words
from gpudev_sdk import plugins
from gpudev_sdk.errors import BrokenPlugin, InvalidRequest, PluginError


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin, for people and for JSON."""

    name: str
    distribution: str
    version: str
    offers: list[str]
    error: str | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin that was looked at more closely."""

    name: str
    sound: bool
    distribution: str = ""
    version: str = ""
    offers: list[str] = []
    abilities: list[str] = []
    #: Why its classes cannot be used here, where something that they need is not installed.
    needs: str | None = None
    error: str | None = None


@click.group("plugins")
def command() -> None:
    """Backends, logins and policies that are installed."""


def _look(found: plugins.Installed, everything: tuple[plugins.Installed, ...]) -> Listed:
    """Load one; what is installed was read once, and is not read again for each."""
    offered, error = [], None
    try:
        offered = list(plugins.load(found.name, [each.entry_point for each in everything]).offers)
    except PluginError as trouble:
        error = trouble.message
    return Listed(name=found.name, distribution=found.distribution, version=found.version, offers=offered, error=error)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """What is installed. A plugin that does not load is listed with its error and disturbs nothing else."""
    everything = plugins.installed()
    found = [_look(plugin, everything) for plugin in everything]
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
@click.option("--backend", metavar="NAME", help="Try it on this backend, as far as that can be tried by looking.")
@click.option("--config", metavar="FILE", help="The server's configuration [default: config.toml in its data folder].")
@click.option("--data", metavar="FOLDER", help="The server's data folder [default: as for `gpudev up`].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_plugins(
    names: tuple[str, ...], backend: str | None, config: str | None, data: str | None, as_json: bool
) -> None:
    """Load plugins and see that they are sound; exits 1 if one is not. Without NAME it is all of them.

    With --backend, the laws of the contract that only read are tried on the live place, with the server's own settings and
    account: nothing is made, changed or deleted. It needs gpudev-services, but no server that is up.

    \b
    Examples:
      gpudev plugins check
      gpudev plugins check aws --backend us-east
    """
    if backend is not None:
        _check_backend(names, backend, {"config": config, "data": data}, as_json)
        return
    if config or data:
        raise InvalidRequest("--config and --data are of a backend", hint="Say which: --backend NAME.")
    wanted = names or tuple(dict.fromkeys(plugin.name for plugin in plugins.installed()))
    checked = [_check(name, alone=len(names) == 1 and not as_json) for name in wanted]
    if as_json:
        words.json({"items": checked})
    else:
        _say(checked)
    broken = [each.name for each in checked if not each.sound]
    if broken:
        raise BrokenPlugin(f"{len(broken)} of {len(wanted)} plugins are not sound", hint=f"See {broken[0]} above.")


def _check(name: str, *, alone: bool) -> Checked:
    """Look at one plugin; what is wrong with the only one that was asked for is the command's own error."""
    from gpudev_cli.kit.sound import look

    try:
        seen = look(name)
    except PluginError as error:
        if alone:
            raise
        return Checked(name=name, sound=False, error=error.message)
    return Checked(
        name=name,
        sound=True,
        distribution=seen.distribution,
        version=seen.version,
        offers=list(seen.offers),
        abilities=list(seen.abilities),
        needs=seen.needs or None,
    )


def _say(checked: list[Checked]) -> None:
    for each in checked:
        if each.error is not None:
            words.note(f"{each.name}: {each.error}")
            continue
        able = f"; can do {', '.join(each.abilities)}" if each.abilities else ""
        words.say(f"{each.name}: sound; offers {', '.join(each.offers) or 'nothing'}{able}")
        if each.needs is not None:
            words.note(f"{each.name}: {each.needs}")


def _check_backend(names: tuple[str, ...], backend: str, where: dict[str, str | None], as_json: bool) -> None:
    """Have the services check a live backend; a plugin that is not sound is said first."""
    from gpudev_cli.kit.sound import look
    from gpudev_cli.services import become_service

    if len(names) > 1:
        raise InvalidRequest("one backend is checked at a time, and one NAME with it", hint="Leave the others out.")
    for name in names:
        look(name)
    given = [f"--{option}={value}" for option, value in where.items() if value]
    asked = [f"--backend={backend}", *given, *(["--json"] if as_json else []), "--", *names]
    become_service(asked, "gpudev_services.backends.check")


@command.command("new")
@click.argument("name")
@click.option("--dir", "folder", metavar="FOLDER", default=".", help="Where to make it [default: here].",
              type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))  # fmt: skip
@click.option("--offers", metavar="WHAT", default="compute,storage,identity", show_default=True, help="What it offers.")
def new_plugin(name: str, folder: pathlib.Path, offers: str) -> None:
    """Begin a plugin: the distribution gpudev-NAME, which works as it is and keeps the whole contract.

    Folders and a dictionary stand where your cloud will be; they are marked, and you replace them method by method.

    \b
    Examples:
      gpudev plugins new lab
      gpudev plugins new corp --offers identity
    """
    from gpudev_cli.kit.make import Wanted, make

    made = make(Wanted(name=name, folder=folder, offers=_split(offers)))
    shown = made.name if folder == pathlib.Path() else str(made)
    words.say(f"Made {shown}. Next:")
    words.say(f"  pip install -e {shown}")
    words.say(f"  pytest {shown}")
    words.say(f"  gpudev plugins check {name}")
    if any(importlib.util.find_spec(module) is None for module in ("pytest", "cryptography")):
        words.note("Its tests need more than is installed here: pip install pytest 'gpudev-sdk[server]'")


def _split(offers: str) -> tuple[str, ...]:
    from gpudev_cli.kit.make import OFFERS

    asked = {offer.strip() for offer in offers.split(",")}
    if not asked <= set(OFFERS):
        strange = sorted(asked - set(OFFERS))[0]
        raise InvalidRequest(f"a plugin cannot offer {strange[:40]!r}", hint=f"Say some of {','.join(OFFERS)}.")
    return tuple(offer for offer in OFFERS if offer in asked)
