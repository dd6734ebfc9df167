"""What the API's handlers work with; built once by a main and kept in the application's state."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

import attrs
from litestar.di import NamedDependency

from gpudev_sdk.config import Login
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.wire.views import GatewayView
from gpudev_services.api.hub import Hub
from gpudev_services.api.rates import Rates

TOKEN_LASTS = dt.timedelta(hours=8)


@attrs.frozen(kw_only=True)
class Admin:
    """What only the process that holds everything can do; None elsewhere."""

    backup: Callable[[str], int]
    #: Compare a backend with the database: (why paused, differences, digest).
    differences: Callable[[str], tuple[str | None, list[tuple[str, str]], str]]
    adopt: Callable[[str], None]


@attrs.frozen(kw_only=True)
class Desk:
    """The engine with the API's rights, and what the API itself needs."""

    engine: Engine
    #: With the rights to read everything, for `admin doctor`.
    doctor_engine: Engine
    hub: Hub
    name: str
    nonce_secret: bytes = attrs.field(repr=False)
    logins: Mapping[str, Login] = attrs.field(factory=dict)
    #: Audiences that a login may have been signed for: our origins with our pin.
    audiences: frozenset[str] = frozenset()
    gateway: GatewayView | None = None
    #: The person at the local socket.
    operator: User | None = None
    ca_pem: bytes | None = None
    admin: Admin | None = None
    rates: Rates = attrs.field(factory=Rates)


@attrs.frozen(kw_only=True)
class Caller:
    """Who asks, and by which door."""

    user: User
    #: `socket` or `token`.
    via: str
    token_id: uuid.UUID | None = None
    request_id: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether admin calls are allowed: only by the local socket, whose owner runs the install."""
        return self.via == "socket" and self.user.is_admin


#: What a handler's parameters say to get them.
TheDesk = NamedDependency[Desk]
Who = NamedDependency[Caller]
