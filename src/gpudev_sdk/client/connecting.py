"""Finds the way to a server."""

from __future__ import annotations

import functools

from gpudev_sdk.client.api import Api
from gpudev_sdk.client.clock import now
from gpudev_sdk.client.installs import Install, get_token
from gpudev_sdk.client.places import Places, get_socket
from gpudev_sdk.client.targets import Target
from gpudev_sdk.client.transport import LocalTransport, Transport
from gpudev_sdk.errors import ConfigError


def open_api(places: Places, target: Target, timeout: float = 30.0) -> Api:
    """Return the API of a server. Nothing is sent yet."""
    if target.install is None:
        return Api(LocalTransport(get_socket(places.data)), lambda: None, timeout)
    if places.token_file is not None and places.server is None:
        raise ConfigError("a token file says nothing of the server", hint="Name it as well: GPUDEV_SERVER=https://…")
    token = functools.partial(_token, places, target.install)
    return Api(remote_transport(places, target.install), token, timeout)


def _token(places: Places, install: Install) -> str:
    return get_token(places, install, now())


def remote_transport(places: Places, install: Install) -> Transport:
    """Return the way to a server on another machine, proved by its pin where it has one."""
    # Here and not above: httpx2 takes 0.15 s to load, which the commands for this machine do not pay.
    from gpudev_sdk.client import remote

    ca = None
    if install.origin.pin is not None:
        ca = remote.find_kept_ca(places, install.origin)
        if ca is None:
            ca = remote.fetch_ca(install.origin)
            remote.keep_ca(places, install.origin, ca)
    return remote.HttpsTransport(install.origin, remote.context_for(ca))
