"""Signing in to a server on another machine, and out again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

import attrs

from gpudev_sdk import plugins
from gpudev_sdk.client import login_settings
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
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import Conflict, InvalidRequest, NotAllowed, NotFound, NotSignedIn, Unavailable
from gpudev_sdk.providers import Context, IdentityProvider
from gpudev_sdk.ssh.audience import audience
from gpudev_sdk.wire.account_views import ChallengeView, LoginView
from gpudev_sdk.wire.bodies import LoginBody
from gpudev_sdk.wire.views import LoginOffer, ServerView

DEFAULT_LOGIN = "ssh"


class SignedIn(NamedTuple):
    """A fresh sign-in."""

    install: Install
    token: Token


class Means(NamedTuple):
    """By which login to sign in, and with what."""

    #: One of the server's logins; None is the usual one.
    by: str | None = None
    #: A key file, for a login that signs with one.
    key: str | None = None
    #: Settings of the login, as texts by name.
    settings: Mapping[str, str] = {}


def login(places: Places, origin: Origin, means: Means, *, name: str | None = None) -> SignedIn:
    """Sign in to the server at an address, and make it the one that is meant from now on.

    `name` is what to call the server here. What is signed names the address and the pin that were dialled, never what the
    server says of itself.
    """
    transport = remote_transport(places, Install(name=origin.host, origin=origin))
    with contextlib.closing(transport):
        api = Api(transport, lambda: None)
        server = api.get("/server", ServerView)
        chosen = _choose(server, means.by)
        provider = _provider(places, server, _offer(server, chosen), means)
        given = _exchange(api, provider, origin, chosen)
    config = read_config(places)
    install = Install(
        name=_name(config, name, origin, server),
        origin=origin,
        login=chosen,
        user=given.user,
        install_id=str(server.install_id),
        key=means.key or "",
        settings=tuple(sorted(means.settings.items())),
    )
    token = Token(given.token, given.expires_at)
    keep_token(places, origin, token)
    write_config(places, config.with_install(install))
    return SignedIn(install, token)


def _choose(server: ServerView, by: str | None) -> str:
    there = [name for name in server.logins if LABEL.match(name)]
    if by is None:
        by = DEFAULT_LOGIN if DEFAULT_LOGIN in there or not there else there[0]
    if by not in there:
        raise NotFound(
            f"the server has no login {by[:40]!r}", hint=f"It has: {', '.join(there) or 'none'}. Choose with --by."
        )
    return by


def _offer(server: ServerView, chosen: str) -> LoginOffer:
    """Return what the server says of a login; one of an older version says only its name."""
    for offer in server.login_offers:
        if offer.name == chosen:
            return offer
    # The name of a login is the operator's; where no plugin has it, the built-in one is meant.
    known = {plugin.name for plugin in plugins.installed()}
    return LoginOffer(name=chosen, provider=chosen if chosen in known else DEFAULT_LOGIN)


def _provider(places: Places, server: ServerView, offer: LoginOffer, means: Means) -> IdentityProvider:
    if not LABEL.match(offer.provider):
        raise NotAllowed(
            f"the login {offer.name!r} is by {offer.provider[:40]!r}, which no plugin can be called",
            hint="See that this is the server you mean; tell its operator.",
        )
    kind = plugins.identity(offer.provider)
    own = dict(means.settings)
    if means.key is not None:
        if "key" not in attrs.fields_dict(kind.Settings):
            raise InvalidRequest(f"the login {offer.name!r} takes no key", hint="Leave --key out.")
        own["key"] = means.key
    settings = login_settings.make(offer.provider, kind, login_settings.Given(told=offer.settings, own=own))
    return kind(settings, Context(install_id=server.install_id, name=offer.name, data_folder=places.config))


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
    # An id alone proves nothing: anybody may say it. With no pin only the address does.
    is_proved = there is not None and (
        there.origin == origin or (origin.pin is not None and there.origin.pin == origin.pin)
    )
    if there is not None and not (is_proved and there.install_id == str(server.install_id)):
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
