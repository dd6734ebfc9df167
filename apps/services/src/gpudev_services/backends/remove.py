"""`gpudev backend remove`: a backend cut out of the configuration, once nothing of anybody is there any more."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import attrs

from gpudev_sdk import config
from gpudev_sdk.errors import ConfigError, Conflict, MissingAbility, NotFound, Unavailable
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.pool import Store
from gpudev_services.backends import file, toml
from gpudev_services.backends.add import Say, installable, note
from gpudev_services.up.down import running
from gpudev_services.up.folder import DataFolder

_HELD = """
SELECT (SELECT count(*) FROM reservation WHERE state <> 'ended' AND %(name)s IN (backend, request ->> 'backend')) AS reservations,
       (SELECT count(*) FROM disk WHERE purged_at IS NULL AND backend = %(name)s) AS disks
"""


def remove(
    folder: DataFolder, path: pathlib.Path, name: str, say: Say, confirm: Callable[[str], None], *, take_down: bool
) -> None:
    """Cut a backend out of the configuration at `path`; with `take_down` remove its place too."""
    before = file.read(path)
    raw = file.parse(path, before)
    table = _table(path, raw, name)
    try:
        after = toml.cut(before, ("backends", name), note(name)).text
    except toml.NotPlain as error:
        hint = f"Remove it by hand ({error}), and start gpudev again."
        raise ConfigError(f"{path} is written so that {name} cannot be cut out alone", hint=hint) from error
    held = _held(folder, _dsn(folder, raw), name)
    _refuse_held(name, held)
    place = installable(str(table.get("compute"))) if take_down else None
    if take_down and place is None:
        raise MissingAbility(
            f"{table.get('compute')} has no place that gpudev could take down", hint="Leave out --take-down."
        )
    if held is None:
        say(f"gpudev is not up, so it is not known whether anybody has reservations or disks on {name}.")
    deleted = " and delete its place, with all disks in it" if place is not None else ""
    confirm(f"Take the backend {name} out of {path}{deleted}?")
    if place is not None:
        place.take_down(config.read_backend(table, name).compute_settings, say)
    file.replace(path, before, after)
    say(f"The backend {name} is out of {path}.")
    if "backends" not in file.parse(path, after):
        say("No backend is left in it, so this machine itself is one, as `local`.")
    say("It is gone from the next start: gpudev down, then gpudev up.")


def _table(path: pathlib.Path, raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get("backends", {}).get(name)
    if isinstance(found, dict):
        return found
    if "backends" not in raw and name in config.ONE_MACHINE["backends"]:
        hint = "Add another backend, and remove this one then."
        raise Conflict(f"{name} is this machine, which is a backend while none is written down", hint=hint)
    raise NotFound(f"{path} has no backend {name[:60]!r}", hint="`gpudev backend list` shows what there is.")


@attrs.frozen(kw_only=True)
class _Held:
    reservations: int
    disks: int


def _dsn(folder: DataFolder, raw: dict[str, Any]) -> str | None:
    """Return where the server's database answers now, if it does."""
    if raw.get("dsn"):
        return str(raw["dsn"])
    return None if running(folder) is None else Embedded(folder.database).dsn("gpudev_engine")


def _held(folder: DataFolder, dsn: str | None, name: str) -> _Held | None:
    """Count what is there, of everybody; None where nobody can be asked."""
    if dsn is None:
        return None
    store = Store(dsn, max_size=1)
    store.open()
    try:
        with store.transaction() as conn:
            row = conn.execute(_HELD, {"name": name}).fetchone()
    except Unavailable as error:
        if running(folder) is None:
            return None
        hint = "See what it says: gpudev status. Remove the backend when it answers."
        raise Conflict("gpudev runs and its database does not answer", hint=hint) from error
    finally:
        store.close()
    assert row is not None  # two counts are always one row
    return _Held(reservations=row["reservations"], disks=row["disks"])


def _refuse_held(name: str, held: _Held | None) -> None:
    if held is None or not (held.reservations or held.disks):
        return
    told = [_count(held.reservations, "reservation")] if held.reservations else []
    told += [f"{_count(held.disks, 'disk')} (deleted ones can be had back for a while)"] if held.disks else []
    hint = "End and delete them first; `gpudev avail` shows who has boxes there."
    raise Conflict(f"{name} has {' and '.join(told)}", hint=hint)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
