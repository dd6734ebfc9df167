"""What a client sends. Closed and strict: an unknown field or a number in quotes is refused."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z", max_length=40)]
Label = Annotated[str, Meta(min_length=1, max_length=63)]
Reference = Annotated[str, Meta(min_length=1, max_length=80)]
Seconds = Annotated[int, Meta(ge=1, le=366 * 86400)]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every body."""


class ReserveBody(Body, frozen=True, kw_only=True, omit_defaults=True):
    """Ask for a dev server. What was not said is not sent, so that an older server takes what it knows."""

    gpu_type: Label
    #: On each node.
    gpus: Annotated[int, Meta(ge=0, le=4096)]
    #: Whole nodes of one zone, all at once.
    nodes: Annotated[int, Meta(ge=1, le=1024)] = 1
    duration_seconds: Annotated[int, Meta(ge=300, le=366 * 86400)]
    #: None is a throw-away home.
    disk: Name | None = None
    name: Name | None = None
    image: Annotated[str, Meta(max_length=255)] | None = None
    #: `root` or `profiling`, where it is offered.
    profile: Label | None = None
    backend: Label | None = None
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    max_wait_seconds: Seconds | None = None
    agent_forwarding: bool = False
    #: Secret values for the box's environment.
    env: dict[str, Annotated[str, Meta(max_length=32768)]] = {}


class ExtendBody(Body, frozen=True, kw_only=True):
    """Ask for more time."""

    seconds: Seconds


class DiskBody(Body, frozen=True, kw_only=True):
    """Make a disk."""

    name: Name
    size_bytes: Annotated[int, Meta(ge=1024**2, le=1024**5)] | None = None


class RestoreBody(Body, frozen=True, kw_only=True):
    """Make a disk's content that of one of its snapshots."""

    snapshot: Reference


class KeyBody(Body, frozen=True, kw_only=True):
    """Enrol a public key."""

    public_key: Annotated[str, Meta(max_length=16384)]
    name: Annotated[str, Meta(max_length=80)] | None = None


class LoginBody(Body, frozen=True, kw_only=True):
    """Present credentials for a challenge. `audience` is the origin the client dialled and pinned."""

    login: Label
    nonce: Annotated[str, Meta(max_length=512)]
    audience: Annotated[str, Meta(max_length=512)]
    fields: dict[str, Annotated[str, Meta(max_length=16384)]]


class UserBody(Body, frozen=True, kw_only=True):
    """Add a person."""

    name: Name
    public_key: Annotated[str, Meta(max_length=16384)] | None = None
    is_admin: bool = False


class UserChangeBody(Body, frozen=True, kw_only=True):
    """Change a person."""

    disabled: bool | None = None


class IdentityBody(Body, frozen=True, kw_only=True):
    """Link a login's identity to a person."""

    login: Label
    subject: Annotated[str, Meta(min_length=1, max_length=160)]


class FileBody(Body, frozen=True, kw_only=True):
    """Name a file on the server's machine (operator only)."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]


class AdoptBody(Body, frozen=True, kw_only=True):
    """Take over a backend whose claim is another's, having seen the differences."""

    backend: Label
    #: The digest that the listing showed; a world that has changed since is listed again.
    seen: Annotated[str, Meta(max_length=128)]
