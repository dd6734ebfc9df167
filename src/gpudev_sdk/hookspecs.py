"""The hooks of a plugin: one argument-free hook per capability, each returning a class, and two told of requests.

The entry-point name in the group `gpudev` is the provider's name: naming it in the configuration imports that
distribution and no other. Hooks are called per plugin, so an error always names the distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from gpudev_sdk.domain.request import Request
    from gpudev_sdk.domain.reservation import ReservationEvent
    from gpudev_sdk.domain.user import User
    from gpudev_sdk.providers import Compute, IdentityProvider, Storage

hookspec = pluggy.HookspecMarker("gpudev")
hookimpl = pluggy.HookimplMarker("gpudev")


@hookspec
def gpudev_register_compute() -> type[Compute]:  # type: ignore[empty-body]
    """Return the class that runs dev servers; called once, when a backend names this provider."""


@hookspec
def gpudev_register_storage() -> type[Storage]:  # type: ignore[empty-body]
    """Return the class that keeps volumes and snapshots; called once, when a backend names this provider."""


@hookspec
def gpudev_register_identity() -> type[IdentityProvider]:  # type: ignore[empty-body]
    """Return the class that proves who a person is; called once, when a login names this provider."""


@hookspec
def gpudev_check_request(request: Request, user: User) -> None:
    """Raise Refused to keep a request out of the line; called before it is queued, on servers that name this plugin."""


@hookspec
def gpudev_reservation_changed(event: ReservationEvent) -> None:
    """Be told of a reservation's change, at least once, in order per reservation, off the processor's path."""
