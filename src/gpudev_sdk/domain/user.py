"""People, how they prove who they are, and what was proved."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs


@attrs.frozen(kw_only=True)
class User:
    """A row of ours: one person."""

    id: uuid.UUID
    #: Small, ours, never reused: backends derive a host uid from it.
    number: int
    name: str
    is_admin: bool = False
    disabled: bool = False


@attrs.frozen(kw_only=True)
class Challenge:
    """The server's nonce and its end; the client adds `audience` from the origin it dialled, never from the reply."""

    nonce: str
    expires_at: dt.datetime
    audience: str = ""


@attrs.frozen(kw_only=True)
class Credentials:
    """What a login presents. Never a secret key."""

    provider: str
    fields: dict[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Identity:
    """What a provider proved: `subject` is unique within the login and never reused; `display` is for people only."""

    subject: str
    display: str = ""
