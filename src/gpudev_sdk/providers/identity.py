"""Identity: how a person proves who they are. No secret key ever leaves the client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs

from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import BrokenPlugin
from gpudev_sdk.providers.context import Context


class IdentityProvider(ABC):
    """One way to log in. The same class runs on both sides; each side calls its own method."""

    Settings: ClassVar[type[Any]]
    #: Fields of `Settings` that a person's machine is to have as the server has them. Anybody may read them, and a server that
    #: means ill may set them: no secret, and no path, address or program.
    public: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __init__(self, settings: Any, context: Context) -> None:
        """Keep settings and context; open nothing yet."""

    @abstractmethod
    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """On the client: make what to present for this challenge, whose audience is the origin that was dialled."""

    @abstractmethod
    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """On the server: prove the credentials against the challenge, or raise NotSignedIn. Trusts nothing in them."""


def public_settings(kind: type[IdentityProvider], settings: Any) -> dict[str, str]:
    """Return what anybody may be told of a login's settings, as texts; raise BrokenPlugin for what cannot be told."""
    fields = attrs.fields_dict(kind.Settings)
    told: dict[str, str] = {}
    for name in kind.public:
        value = getattr(settings, name, None)
        if name not in fields or fields[name].repr is False or not isinstance(value, str | int | float):
            raise BrokenPlugin(
                f"{kind.__name__} calls {name!r} public, which is no setting, a hidden one, or no plain value",
                hint="Tell the authors of the plugin.",
            )
        told[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return told
