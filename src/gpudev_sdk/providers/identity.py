"""Identity: how a person proves who they are. No secret key ever leaves the client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.providers.context import Context


class IdentityProvider(ABC):
    """One way to log in. The same class runs on both sides; each side calls its own method."""

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, settings: Any, context: Context) -> None:
        """Keep settings and context; open nothing yet."""

    @abstractmethod
    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """On the client: make what to present for this challenge, whose audience is the origin that was dialled."""

    @abstractmethod
    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """On the server: prove the credentials against the challenge, or raise NotSignedIn. Trusts nothing in them."""
