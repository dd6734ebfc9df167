"""The built-in login `ssh`: whoever holds an enrolled SSH key is its person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpudev_sdk.hookspecs import hookimpl

if TYPE_CHECKING:
    from gpudev_sdk.providers import IdentityProvider


@hookimpl
def gpudev_register_identity() -> type[IdentityProvider]:
    """Return the class that proves a person by SSH signature."""
    from gpudev_sdk.ssh.identity import SshIdentity

    return SshIdentity
