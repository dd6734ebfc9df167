"""What the API answers of accounts: keys, tokens, logins, and whose identity is whose."""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec

from gpudev_sdk.wire.admin_views import UserView
from gpudev_sdk.wire.views import View


class KeyView(View, frozen=True, kw_only=True):
    """An enrolled public key."""

    id: uuid.UUID
    name: str
    fingerprint: str
    public_key: str
    created_at: dt.datetime


class KeysView(View, frozen=True, kw_only=True):
    """One's keys."""

    items: list[KeyView]


class TokenView(View, frozen=True, kw_only=True):
    """A token of one's own; its value is shown only once, by the login that made it."""

    id: uuid.UUID
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None = None
    current: bool = False


class TokensView(View, frozen=True, kw_only=True):
    """One's tokens."""

    items: list[TokenView]


class ChallengeView(View, frozen=True, kw_only=True):
    """What a login signs."""

    nonce: str
    expires_at: dt.datetime


class LoginView(View, frozen=True, kw_only=True):
    """A fresh token."""

    token: str
    expires_at: dt.datetime
    user: str


class MeView(View, frozen=True, kw_only=True):
    """Who one is, and what one may have."""

    user: str
    is_admin: bool
    local: bool
    keys: int
    live_reservations: int
    live_gpus: int
    max_reservations: int
    max_gpus: int | None = None


class IdentityView(View, frozen=True, kw_only=True):
    """An identity of a login, linked to a person."""

    id: uuid.UUID
    login: str
    subject: str
    #: For people to read; empty where an admin linked it.
    display: str
    created_at: dt.datetime


class PersonView(UserView, frozen=True, kw_only=True):
    """A person for admins, with the identities that are linked to them."""

    identities: list[IdentityView] = msgspec.field(default_factory=list)


class PeopleView(View, frozen=True, kw_only=True):
    """Everybody, for admins."""

    items: list[PersonView]
