"""What the API answers of one's own account: keys, tokens, logins."""

from __future__ import annotations

import datetime as dt
import uuid

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
