"""The installs that this client knows, in `config.toml`, and their tokens in files of their own.

A token is bound to the origin and the pin that it was given for: it is never presented to another.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import pathlib
import stat
import tomllib
from typing import Any, NamedTuple

from gpudev_sdk.client.files import find_text, make_private_folder, saying, write_private
from gpudev_sdk.client.origins import Origin, parse_origin
from gpudev_sdk.client.places import Places
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.errors import ConfigError, GpudevError, NotFound, NotSignedIn

HEAD = "# Written by gpudev: the servers you signed in to. `gpudev login` and `gpudev logout` change it.\n"
_RESERVED = ("local",)


class Install(NamedTuple):
    """A server on another machine that one signed in to. `name` is ours for it."""

    name: str
    origin: Origin
    login: str = "ssh"
    user: str = ""
    install_id: str = ""
    #: The key file that one signed in with, where it was named; boxes want it too.
    key: str = ""
    #: What one set for the login with `--set`, by name.
    settings: tuple[tuple[str, str], ...] = ()


class Token(NamedTuple):
    """What a login gave."""

    value: str
    expires_at: dt.datetime


class ClientConfig(NamedTuple):
    """What `config.toml` holds."""

    default: str | None = None
    #: Whether the Include line in `~/.ssh/config` is wanted: `yes`, `no`, or None where nobody was asked yet.
    ssh_include: str | None = None
    installs: tuple[Install, ...] = ()

    def find(self, name: str) -> Install | None:
        """Return the install of a name, or None."""
        return next((install for install in self.installs if install.name == name), None)

    def get(self, name: str) -> Install:
        """Return the install of a name; raise NotFound."""
        found = self.find(name)
        if found is None:
            known = ", ".join(install.name for install in self.installs) or "none"
            raise NotFound(
                f"you signed in to no server called {name[:40]!r} (known: {known})",
                hint="Sign in with its address: gpudev login https://…",
            )
        return found

    def with_install(self, install: Install) -> ClientConfig:
        """Return it with an install added or replaced, and made the default."""
        others = tuple(other for other in self.installs if other.name != install.name)
        return self._replace(installs=(*others, install), default=install.name)

    def without(self, name: str) -> ClientConfig:
        """Return it without an install."""
        left = tuple(other for other in self.installs if other.name != name)
        return self._replace(installs=left, default=None if self.default == name else self.default)

    def name_for(self, wanted: str, origin: Origin, install_id: str) -> str:
        """Return the name that an install has here, or a free one. Its id alone proves nothing, its pin does."""
        known = [
            install.name
            for install in self.installs
            if install.install_id == install_id
            and (install.origin == origin or (origin.pin is not None and install.origin.pin == origin.pin))
        ]
        if known:
            return known[0]
        base = wanted if LABEL.match(wanted) and wanted not in _RESERVED else "server"
        taken = {install.name for install in self.installs}
        return next(name for name in (base, *(f"{base[:50]}-{n}" for n in range(2, 1000))) if name not in taken)


def read_config(places: Places) -> ClientConfig:
    """Read `config.toml`; an absent one is an empty one. Raises ConfigError for one that is not ours to understand."""
    text = find_text(places.config_file)
    if text is None:
        return ClientConfig()
    try:
        raw = tomllib.loads(text)
        installs = tuple(_install(name, table) for name, table in raw.get("installs", {}).items())
        return ClientConfig(_text(raw, "default"), _text(raw, "ssh_include"), installs)
    except (tomllib.TOMLDecodeError, AttributeError, TypeError, GpudevError) as error:
        raise ConfigError(
            f"{places.config_file} is not valid: {str(error).splitlines()[0][:120]}",
            hint="Correct it, or move it away and sign in again.",
        ) from error


def _text(table: dict[str, Any], name: str, default: str | None = None) -> str | None:
    value = table.get(name, default)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _install(name: str, table: dict[str, Any]) -> Install:
    if not LABEL.match(name):
        raise TypeError(f"{name!r} cannot name an install")
    origin = parse_origin(str(table.get("origin", "")))
    fields = {field: str(table.get(field, "")) for field in ("user", "install_id", "key")}
    settings = table.get("settings", {})
    if not all(isinstance(value, str) for value in settings.values()):
        raise TypeError("settings are not texts")
    login = str(table.get("login", "ssh"))
    return Install(name=name, origin=origin, login=login, settings=tuple(sorted(settings.items())), **fields)


def write_config(places: Places, config: ClientConfig) -> None:
    """Write `config.toml`."""
    lines = [HEAD]
    for name in ("default", "ssh_include"):
        value = getattr(config, name)
        if value is not None:
            lines.append(f"{name} = {_quoted(value)}\n")
    for install in config.installs:
        lines.append(f'\n[installs."{install.name}"]\n')
        lines.append(f"origin = {_quoted(str(install.origin))}\n")
        lines += [f"{field} = {_quoted(getattr(install, field))}\n" for field in ("login", "user", "install_id", "key")]
        if install.settings:
            pairs = ", ".join(f"{_quoted(field)} = {_quoted(value)}" for field, value in install.settings)
            lines.append(f"settings = {{ {pairs} }}\n")
    write_private(places.config_file, "".join(lines))


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, once DEL is escaped as well.
    return json.dumps(text).replace("\x7f", "\\u007f")


def _token_path(places: Places, origin: Origin) -> pathlib.Path:
    return places.config / "tokens" / hashlib.sha256(str(origin).encode()).hexdigest()[:32]


def keep_token(places: Places, origin: Origin, token: Token) -> None:
    """Keep a token for this origin and pin, readable by its owner only."""
    with saying(places.config):
        make_private_folder(places.config)
    kept = {"origin": str(origin), "token": token.value, "expires_at": token.expires_at.isoformat()}
    write_private(_token_path(places, origin), json.dumps(kept))


def drop_token(places: Places, origin: Origin) -> None:
    """Forget the token of an origin."""
    with saying(places.config):
        _token_path(places, origin).unlink(missing_ok=True)


def get_token(places: Places, install: Install, now: dt.datetime) -> str:
    """Return the token for an install; raise NotSignedIn when there is none or its time is over."""
    if places.token_file is not None:
        return _token_from(places.token_file)
    again = f"Sign in: gpudev login {install.name}."
    text = find_text(_token_path(places, install.origin))
    if text is None:
        raise NotSignedIn(f"you are not signed in to {install.name}", hint=again)
    try:
        kept = json.loads(text)
        bound, value, end = str(kept["origin"]), str(kept["token"]), dt.datetime.fromisoformat(kept["expires_at"])
        over = end <= now
    except (ValueError, KeyError, TypeError) as error:
        raise NotSignedIn(f"the token for {install.name} cannot be read", hint=again) from error
    if bound != str(install.origin) or over or not _presentable(value):
        raise NotSignedIn(f"your sign-in to {install.name} is over", hint=again)
    return value


def _token_from(path: pathlib.Path) -> str:
    with saying(path.parent):
        found = path.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise ConfigError(f"{path} can be read by others", hint=f"Close it: chmod 600 {path}")
        value = path.read_text(encoding="utf-8", errors="replace").strip()
    if not _presentable(value):
        raise ConfigError(f"{path} holds no token", hint="It is to hold one token and nothing else.")
    return value


def _presentable(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token and 0 < len(token) < 200
