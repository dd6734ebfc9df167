"""What the API answers to the owner of the install."""

from __future__ import annotations

import datetime as dt

from gpudev_sdk.wire.views import View


class UserView(View, frozen=True, kw_only=True):
    """A person, for admins."""

    name: str
    is_admin: bool
    disabled: bool
    created_at: dt.datetime
    keys: int


class UsersView(View, frozen=True, kw_only=True):
    """Everybody."""

    items: list[UserView]


class FindingView(View, frozen=True, kw_only=True):
    """One thing that is not as it should be, and what to do."""

    law: str
    what: str
    next_step: str


class DoctorView(View, frozen=True, kw_only=True):
    """What `admin doctor` found."""

    as_of: dt.datetime
    findings: list[FindingView]


class BackupView(View, frozen=True, kw_only=True):
    """A finished backup."""

    path: str
    size_bytes: int


class DifferenceView(View, frozen=True, kw_only=True):
    """One way in which a backend and the database differ."""

    what: str
    consequence: str


class AdoptView(View, frozen=True, kw_only=True):
    """The differences of a paused backend; `seen` goes into the adoption."""

    backend: str
    paused: str | None
    differences: list[DifferenceView]
    seen: str
    adopted: bool = False
