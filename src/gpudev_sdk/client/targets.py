"""Finds the server that is meant. Nothing is dialled here, and little is loaded: every command starts with it."""

from __future__ import annotations

from typing import NamedTuple

from gpudev_sdk.client.installs import Install, read_config
from gpudev_sdk.client.origins import is_address, parse_origin
from gpudev_sdk.client.places import Places
from gpudev_sdk.errors import NotFound

#: The name of the server on this machine.
LOCAL = "local"


class Target(NamedTuple):
    """The server that is meant: our name for it, and what tells it from others."""

    name: str
    address: str
    host: str | None = None
    install: Install | None = None


def find_target(places: Places, server: str | None = None) -> Target:
    """Return the server that is meant; nothing is dialled."""
    install = find_install(places, server)
    if install is None:
        return Target(LOCAL, str(places.data))
    return Target(install.name, str(install.origin), install.origin.host, install)


def find_install(places: Places, server: str | None = None) -> Install | None:
    """Return the install that is meant, or None for the server on this machine.

    In this order: what was named, a named data folder, the default of `config.toml`, this machine.
    """
    named = server or places.server
    if named == LOCAL or (named is None and places.data_named):
        return None
    config = read_config(places)
    if named is None:
        return config.get(config.default) if config.default else None
    if not is_address(named):
        return config.get(named)
    origin = parse_origin(named)
    for install in config.installs:
        if install.origin == origin or (origin.pin is None and install.origin.url == origin.url):
            return install
    if places.token_file is None:
        raise NotFound(f"you never signed in to {origin.url}", hint=f"Sign in: gpudev login {origin}")
    return Install(name=origin.host, origin=origin)
