"""`gpudev backend add`: a backend written into the configuration, and its place set up where its provider can."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gpudev_sdk import config, plugins
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.errors import ConfigError, Conflict, InvalidRequest, MissingAbility
from gpudev_sdk.providers import Compute, Installable
from gpudev_services.backends import file, toml, values

Say = Callable[[str], None]


def note(name: str) -> str:
    """Return the comment above a backend that was written here, by which it is known again."""
    return f"Written by `gpudev backend add`; `gpudev backend remove {name}` takes it out again."


@attrs.frozen(kw_only=True)
class Wanted:
    """What was asked for."""

    provider: str
    name: str
    #: Empty: the provider's own.
    storage: str = ""
    given: Mapping[str, str] = attrs.field(factory=dict)


def add(path: pathlib.Path, wanted: Wanted, say: Say, confirm: Callable[[str], None]) -> None:
    """Add a backend to the configuration at `path`. `confirm` raises if the person does not want it."""
    compute = plugins.compute(wanted.provider)
    table = {"compute": wanted.provider, "storage": _storage(wanted)}
    mine = {key: text for key, text in wanted.given.items() if values.knows(compute.Settings, key)}
    others = sorted(set(wanted.given) - set(mine))
    if others and not issubclass(compute, Installable):
        known = ", ".join(sorted(attrs.fields_dict(compute.Settings)))
        raise InvalidRequest(
            f"{wanted.provider} does not know {others[0][:60]!r}", hint=f"It knows: {known or 'nothing'}."
        )
    settings = values.typed(compute.Settings, mine)
    _plan(path, wanted.name, _with(table, wanted.provider, settings))
    if issubclass(compute, Installable):
        confirm(f"Set {wanted.provider} up on this machine, and write the backend {wanted.name} into {path}?")
        settings = settings | dict(compute.set_up(wanted.given, say))
    else:
        confirm(f"Write the backend {wanted.name} into {path}?")
    plan = _plan(path, wanted.name, _with(table, wanted.provider, settings))
    file.replace(path, plan.before, plan.after)
    if plan.kept_local:
        say("This machine was a backend without being written down; it is now, as `local`, and stays one.")
    say(f"The backend {wanted.name} is in {path}.")
    say("It is used from the next start: gpudev down, then gpudev up.")


@attrs.frozen(kw_only=True)
class _Plan:
    before: str
    after: str
    kept_local: bool


def _plan(path: pathlib.Path, name: str, table: Mapping[str, Any]) -> _Plan:
    """Return the file as it would be; raise for whatever a server would not start with."""
    if not LABEL.match(name):
        raise InvalidRequest(f"{name[:60]!r} cannot name a backend", hint="Use a-z, 0-9, - and dots.")
    before = file.read(path)
    raw = file.parse(path, before)
    if name in raw.get("backends", {}):
        raise Conflict(f"{path} has a backend {name} already", hint="Take another --name, or remove that one first.")
    config.read_backend(table, name)
    text, kept_local = before, False
    try:
        if "backends" not in raw and name not in config.ONE_MACHINE["backends"]:
            kept_local = True
            for usual, there in config.ONE_MACHINE["backends"].items():
                text = toml.append(text, ("backends", usual), there, note(usual))
        after = toml.append(text, ("backends", name), table, note(name))
    except toml.NotPlain as error:
        first = toml.write_table(("backends", name), table).splitlines()[0]
        hint = f"Write the table {first} into it by hand, beside the others."
        raise ConfigError(f"{path} is written so that nothing can be put at its end: {error}", hint=hint) from error
    return _Plan(before=before, after=after, kept_local=kept_local)


def _with(table: Mapping[str, Any], provider: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**table, provider: dict(settings)} if settings else dict(table)


def _storage(wanted: Wanted) -> str:
    if wanted.storage:
        return wanted.storage
    if plugins.load(wanted.provider).implements("gpudev_register_storage"):
        return wanted.provider
    raise MissingAbility(
        f"{wanted.provider} keeps no disks",
        hint="Say what does: --storage PROVIDER. `gpudev plugins list` shows what there is.",
    )


def installable(name: str) -> type[Installable] | None:
    """Return the compute class of a provider if its place can be set up and taken down."""
    kind: type[Compute] = plugins.compute(name)
    return kind if issubclass(kind, Installable) else None
