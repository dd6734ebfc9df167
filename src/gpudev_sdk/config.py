"""Settings of a server, from TOML and the environment; read once, by a main.

`backends` and `logins` are kept raw: each sub-table is structured after its plugin is loaded, so core names no cloud.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import attrs
import typed_settings as ts
from typed_settings.exceptions import TsError

from gpudev_sdk import plugins
from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.domain.times import HOUR
from gpudev_sdk.errors import ConfigError, GpudevError
from gpudev_sdk.providers import Compute, Context, IdentityProvider, Storage
from gpudev_sdk.providers.identity import public_settings
from gpudev_sdk.providers.together import check_together

T = TypeVar("T")
#: The provider whose subjects are enrolled keys.
KEYS = "ssh"
#: What a machine of its own has when nothing is configured.
ONE_MACHINE: dict[str, Any] = {
    "backends": {"local": {"compute": "local", "storage": "local"}},
    "logins": {"ssh": {"provider": "ssh"}},
}


def _whole_seconds(minutes: float) -> dt.timedelta:
    """A warning is noted by its whole seconds, so it must have no others; at 0 the ending notice stands."""
    return dt.timedelta(seconds=max(1, round(minutes * 60)))


@attrs.frozen(kw_only=True)
class LimitSettings:
    """The limits, as an operator writes them: times in hours, minutes or seconds as named."""

    max_hours: float = 24.0
    max_hours_by_type: dict[str, float] = attrs.field(factory=lambda: {"cpu": 720.0})
    max_extension_hours: float = 24.0
    #: 0 is no cap.
    max_total_hours: float = 0.0
    #: 0 is no cap.
    max_gpus_per_user: int = 0
    max_reservations_per_user: int = 20
    max_disks_per_user: int = 50
    max_wait_hours: float = 48.0
    warning_minutes: list[float] = attrs.field(factory=lambda: [30.0, 15.0, 5.0])
    grace_seconds: float = 120.0
    stop_allowance_seconds: float = 60.0
    keep_snapshots: int = 3
    undelete_days: float = 30.0

    def limits(self) -> Limits:
        """Return them as the domain's value."""
        hours = {name: value * HOUR for name, value in self.max_hours_by_type.items()}
        return Limits(
            max_duration=self.max_hours * HOUR,
            max_duration_by_type=hours,
            max_extension=self.max_extension_hours * HOUR,
            max_total=self.max_total_hours * HOUR if self.max_total_hours else None,
            max_gpus_per_user=self.max_gpus_per_user or None,
            max_reservations_per_user=self.max_reservations_per_user,
            max_disks_per_user=self.max_disks_per_user,
            max_wait=self.max_wait_hours * HOUR,
            warnings=tuple(sorted(map(_whole_seconds, self.warning_minutes), reverse=True)),
            grace=dt.timedelta(seconds=self.grace_seconds),
            stop_allowance=dt.timedelta(seconds=self.stop_allowance_seconds),
            keep_snapshots=self.keep_snapshots,
            undelete=dt.timedelta(days=self.undelete_days),
        )


@attrs.frozen(kw_only=True)
class ServerSettings:
    """What every service may be told."""

    #: What people call this install; part of a second install's ssh names.
    name: str = "gpudev"
    #: Policies and listeners to run.
    plugins: list[str] = attrs.field(factory=list)
    #: A database of one's own; empty is the embedded PostgreSQL.
    dsn: str = ""
    #: `HOST:PORT` on which the API listens for other machines; empty is this machine only.
    listen: str = ""
    #: Names and addresses by which other machines dial it.
    names: list[str] = attrs.field(factory=list)
    #: `HOST:PORT` of the SSH gateway.
    gateway: str = "127.0.0.1:7022"
    processors: int = 4
    limits: LimitSettings = LimitSettings()


@attrs.frozen(kw_only=True)
class Configuration:
    """A server's whole configuration."""

    settings: ServerSettings
    backends: Mapping[str, Mapping[str, Any]]
    logins: Mapping[str, Mapping[str, Any]]


def read(path: pathlib.Path | None, overrides: Mapping[str, Any] | None = None) -> Configuration:
    """Read a configuration file (or none), then `GPUDEV_SERVER_…` from the environment, then `overrides`."""
    raw: dict[str, Any] = {}
    if path is not None and path.exists():
        raw = _toml(path)
    backends = _tables(raw.pop("backends", ONE_MACHINE["backends"]), "backends")
    logins = _tables(raw.pop("logins", ONE_MACHINE["logins"]), "logins")
    _refuse_unknown(ServerSettings, raw, "the configuration")
    loaders = [_dict_loader(raw), ts.EnvLoader("GPUDEV_SERVER_"), _dict_loader(dict(overrides or {}))]
    settings = _structure(ServerSettings, loaders, "the configuration")
    return Configuration(settings=settings, backends=backends, logins=logins)


def _toml(path: pathlib.Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="Correct that line and start again.") from error


def _dict_loader(values: dict[str, Any]) -> Any:
    return ts.loaders.DictLoader(values)


def _refuse_unknown(kind: type[Any], values: Mapping[str, Any], where: str) -> None:
    fields = {field.name: field.type for field in attrs.fields(attrs.resolve_types(kind))}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"{where} does not know {name!r}", hint=f"It knows: {', '.join(sorted(fields))}.")
        if isinstance(fields[name], type) and attrs.has(fields[name]) and isinstance(value, dict):
            _refuse_unknown(fields[name], value, f"[{name}]")
        else:
            _refuse_bent(fields[name], value, f"{where}: {name}")


#: What TOML may hold for a field of each plain type; true is no number, and 1.5 no whole one.
_LAWFUL: dict[object, tuple[type, ...]] = {int: (int,), float: (float, int), str: (str,), bool: (bool,)}


def _refuse_bent(kind: Any, value: object, where: str) -> None:
    """Refuse a value that would have to be bent to fit its field."""
    inner = get_args(kind)
    if get_origin(kind) is dict:
        _refuse_bent_table(inner[1], value, where)
    elif isinstance(value, list) and inner:
        wanted = next((arg for arg in inner if get_args(arg)), None) if get_origin(kind) is not list else kind
        for element in value:
            _refuse_bent(get_args(wanted)[0] if wanted is not None else None, element, where)
    elif kind in _LAWFUL and (type(value) not in _LAWFUL[kind]):
        raise ConfigError(f"{where} cannot be {value!r}", hint=f"Give it a value of the kind {kind.__name__}.")


def _refuse_bent_table(kind: Any, value: object, where: str) -> None:
    """Refuse what is no table, and in a table of values of `kind` the first that does not fit."""
    if not isinstance(value, dict):
        raise ConfigError(f"{where} cannot be {value!r}", hint="Give it a table.")
    for name, each in value.items():
        if attrs.has(kind) and isinstance(each, dict):
            _refuse_unknown(kind, each, f"{where}.{name}")
        elif attrs.has(kind):
            raise ConfigError(f"{where}.{name} cannot be {each!r}", hint="Give it a table.")
        else:
            _refuse_bent(kind, each, f"{where}.{name}")


def _structure(kind: type[T], loaders: list[Any], where: str) -> T:
    try:
        return ts.load_settings(kind, loaders)
    except (TsError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{where} is not valid: {_first_line(error)}", hint="Correct it and start again.") from error


def _first_line(error: Exception) -> str:
    deepest: BaseException = error
    while isinstance(deepest, BaseExceptionGroup):
        deepest = deepest.exceptions[0]
    return str(deepest).splitlines()[0] if str(deepest) else type(deepest).__name__


def _tables(raw: object, where: str) -> dict[str, dict[str, Any]]:
    if not isinstance(raw, dict) or not all(isinstance(table, dict) for table in raw.values()):
        raise ConfigError(f"{where} must be tables: [{where}.NAME]")
    for name in raw:
        if not LABEL.match(name):
            raise ConfigError(f"{name!r} cannot name one of {where}", hint="Use a-z, 0-9, - and dots.")
    return raw


def _provider_settings(kind: type[Any], table: Mapping[str, Any], provider: str, where: str) -> Any:
    values = dict(table.get(provider, {}))
    _refuse_unknown(kind, values, f"[{where}.{provider}]")
    return _structure(kind, [_dict_loader(values)], f"[{where}.{provider}]")


def _named(table: Mapping[str, Any], key: str, where: str) -> str:
    name = table.get(key)
    if not isinstance(name, str):
        raise ConfigError(f"[{where}] names no {key}", hint=f'Add a line such as {key} = "local".')
    return name


@attrs.frozen(kw_only=True)
class Providers:
    """What `[backends.NAME]` names, loaded, with their settings, and not built yet."""

    compute: type[Compute]
    compute_settings: Any
    storage: type[Storage]
    storage_settings: Any

    def build(self, context: Context) -> tuple[Compute, Storage]:
        """Build them."""
        return self.compute(self.compute_settings, context), self.storage(self.storage_settings, context)


def read_backend(table: Mapping[str, Any], name: str) -> Providers:
    """Load the providers that `[backends.NAME]` names and read their settings."""
    where = f"backends.{name}"
    compute_name, storage_name = _named(table, "compute", where), _named(table, "storage", where)
    unknown = set(table) - {"compute", "storage", compute_name, storage_name}
    if unknown:
        raise ConfigError(f"[{where}] does not know {sorted(unknown)[0]!r}")
    compute, storage = plugins.compute(compute_name), plugins.storage(storage_name)
    check_together((compute_name, compute), (storage_name, storage), where)
    return Providers(
        compute=compute,
        compute_settings=_provider_settings(compute.Settings, table, compute_name, where),
        storage=storage,
        storage_settings=_provider_settings(storage.Settings, table, storage_name, where),
    )


@attrs.frozen(kw_only=True)
class Login:
    """What `[logins.NAME]` names, built."""

    name: str
    provider: str
    identity: IdentityProvider
    #: Whether a person whom nobody knows is made a user by their first proof.
    enrol: bool = False
    #: What a client is told of its settings.
    public: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def is_by_key(self) -> bool:
        """Whether its subjects are keys, which are enrolled as such and never linked."""
        return self.provider == KEYS


def build_login(table: Mapping[str, Any], context: Context) -> Login:
    """Load the provider that `[logins.NAME]` names and build it."""
    where = f"logins.{context.name}"
    provider, enrol = _named(table, "provider", where), table.get("enrol", False)
    unknown = set(table) - {"provider", "enrol", provider}
    if unknown:
        raise ConfigError(
            f"[{where}] does not know {sorted(unknown)[0]!r}", hint=f"It knows: enrol, provider, {provider}."
        )
    if not isinstance(enrol, bool):
        raise ConfigError(f"[{where}]: enrol cannot be {enrol!r}", hint="Give it true or false.")
    if enrol and provider == KEYS:
        raise ConfigError(
            f"[{where}] cannot enrol: anybody can make a key",
            hint="Leave enrol out, and add people: gpudev admin users add NAME --key FILE.pub.",
        )
    kind = plugins.identity(provider)
    settings = _provider_settings(kind.Settings, table, provider, where)
    public = public_settings(kind, settings)
    return Login(name=context.name, provider=provider, identity=kind(settings, context), enrol=enrol, public=public)


def load_policy(name: str) -> plugins.Plugin:
    """Load a named policy or listener; one that cannot be loaded keeps the server from starting."""
    try:
        return plugins.load(name)
    except GpudevError as error:
        raise ConfigError(
            f"the plugin {name!r} is named and does not load: {error.message}", hint=error.hint
        ) from error


def build_backend(table: Mapping[str, Any], context: Context) -> tuple[Compute, Storage]:
    """Load the providers that `[backends.NAME]` names and build them."""
    return read_backend(table, context.name).build(context)
