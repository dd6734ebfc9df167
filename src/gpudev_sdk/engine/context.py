"""What every use case works with; built once by a main."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Protocol

import attrs

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.user import User
from gpudev_sdk.errors import NotFound, ProviderError
from gpudev_sdk.providers import Compute, Storage
from gpudev_sdk.store.pool import Store


@attrs.frozen(kw_only=True)
class Backend:
    """One configured place: a name plus its compute and storage."""

    name: str
    compute: Compute
    storage: Storage

    def notes(self) -> dict[str, str]:
        """Return what people should know of the place; while it does not answer, that."""
        try:
            return self.compute.describe()
        except ProviderError as error:
            return {"trouble": error.message}


class HostCa(Protocol):
    """Makes and signs the host keys of boxes."""

    def new_host_key(self) -> tuple[str, str]:
        """Return a fresh private key in OpenSSH form and its public line."""

    def sign_host_key(self, public: str, serial: int) -> str:
        """Return the certificate line, valid for a day."""

    def has_signed(self, certificate: str) -> bool:
        """Say whether a certificate line is of this authority, and not of one that it took the place of."""


class Policy(Protocol):
    """A named policy plugin: raises Refused to keep a request out of the line."""

    def check(self, request: Request, user: User) -> None:
        """Return if the request may be queued."""


@attrs.frozen(kw_only=True)
class Engine:
    """The store, the backends, the limits, and who we are."""

    store: Store
    backends: Mapping[str, Backend]
    limits: Limits
    install_id: uuid.UUID
    control_plane_id: uuid.UUID
    host_ca: HostCa
    policies: tuple[Policy, ...] = ()

    def backend(self, name: str | None) -> Backend:
        """Return a configured backend; raise NotFound for one that is not (any more)."""
        found = self.backends.get(name or "")
        if found is None:
            raise NotFound(f"the backend {name!r} is not configured on this server")
        return found
