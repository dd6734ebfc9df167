"""Signing in to a server on another machine, and out again."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from gpudev_sdk import plugins
from gpudev_sdk.client.api import Api
from gpudev_sdk.client.clock import now
from gpudev_sdk.client.connecting import remote_transport
from gpudev_sdk.client.installs import (
    ClientConfig,
    Install,
    Token,
    drop_token,
    get_token,
    keep_token,
    read_config,
    write_config,
)
from gpudev_sdk.client.origins import Origin
from gpudev_sdk.client.places import Places
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import Conflict, InvalidRequest, NotFound, NotSignedIn, Unavailable
from gpudev_sdk.providers import Context, IdentityProvider
from gpudev_sdk.ssh.audience import audience
from gpudev_sdk.wire.account_views import ChallengeView, LoginView
from gpudev_sdk.wire.bodies import LoginBody
from gpudev_sdk.wire.views import ServerView

DEFAULT_LOGIN = "ssh"


class SignedIn(NamedTuple):
    """A fresh sign-in."""

    install: Install
    token: Token


def login(
    places: Places, origin: Origin, *, by: str | None = None, name: str | None = None, key: str | None = None
) -> SignedIn:
    """Sign in to the server at an address, and make it the one that is meant from now on.

    `by` names one of the server's logins, `name` is what to call the server here. What is signed names the address and
    the pin that were dialled, never what the server says of itself.
    """
    transport = remote_transport(places, Install(name=origin.host, origin=origin))
    with contextlib.closing(transport):
        api = Api(transport, lambda: None)
        server = api.get("/server", ServerView)
        chosen = _choose(server, by)
        provider = _provider(places, server, chosen, key)
        given = _exchange(api, provider, origin, chosen)
    config = read_config(places)
    install = Install(
        name=_name(config, name, origin, server),
        origin=origin,
        login=chosen,
        user=given.user,
        install_id=str(server.install_id),
        key=key or "",
    )
    token = Token(given.token, given.expires_at)
    keep_token(places, origin, token)
    write_config(places, config.with_install(install))
    return SignedIn(install, token)


def _choose(server: ServerView, by: str | None) -> str:
    if by is None:
        by = DEFAULT_LOGIN if DEFAULT_LOGIN in server.logins or not server.logins else server.logins[0]
    if by not in server.logins:
        there = ", ".join(server.logins) or "none"
        raise NotFound(f"the server has no login {by[:40]!r}", hint=f"It has: {there}. Choose with --by.")
    return by


def _provider(places: Places, server: ServerView, chosen: str, key: str | None) -> IdentityProvider:
    # The name of a login is the operator's; where no plugin has it, the built-in one is meant.
    known = {plugin.name for plugin in plugins.installed()}
    kind = plugins.identity(chosen if chosen in known else DEFAULT_LOGIN)
    try:
        settings = kind.Settings() if key is None else kind.Settings(key=key)
    except TypeError as error:
        raise InvalidRequest(f"the login {chosen!r} takes no key", hint="Leave --key out.") from error
    return kind(settings, Context(install_id=server.install_id, name=chosen, data_folder=places.config))


def _exchange(api: Api, provider: IdentityProvider, origin: Origin, chosen: str) -> LoginView:
    challenge = api.post("/login/challenge", ChallengeView)
    meant = audience(origin.url, origin.pin)
    shown = provider.get_caller_identity(
        Challenge(nonce=challenge.nonce, expires_at=challenge.expires_at, audience=meant)
    )
    body = LoginBody(login=chosen, nonce=challenge.nonce, audience=meant, fields=shown.fields)
    return api.post("/login", LoginView, body)


def _name(config: ClientConfig, wanted: str | None, origin: Origin, server: ServerView) -> str:
    """Return our name for the install: the one asked for, the one it has, or its own; never another install's."""
    if wanted is None:
        return config.name_for(server.install, origin, str(server.install_id))
    there = config.find(wanted)
    if there is not None and (there.install_id != str(server.install_id) or there.origin.pin != origin.pin):
        raise Conflict(
            f"{wanted!r} is another server here", hint=f"Take another --name, or first: gpudev logout {wanted}"
        )
    return wanted


def logout(places: Places, name: str) -> bool:
    """Forget a sign-in, and have the server revoke its token; say whether the server heard of it."""
    config = read_config(places)
    install = config.get(name)
    heard = True
    try:
        token = get_token(places, install, now())
        with contextlib.closing(remote_transport(places, install)) as transport:
            Api(transport, lambda: token).delete("/me/tokens/current")
    except (NotSignedIn, NotFound):
        pass
    except Unavailable:
        heard = False
    drop_token(places, install.origin)
    write_config(places, config.without(name))
    return heard
