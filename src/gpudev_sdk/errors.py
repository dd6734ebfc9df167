"""One tree of errors; the docstring is the message unless a message is given.

`code` is stable and public: it is the problem type on the wire and decides the HTTP and the exit status.
`hint` is the next step for the person who reads it; it becomes the last line the CLI prints.
"""

from __future__ import annotations

from typing import ClassVar


class GpudevError(Exception):
    """Something went wrong in gpudev."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        super().__init__(self.message)


class CallerError(GpudevError):
    """The request cannot be carried out as asked."""

    code = "caller-error"


class InvalidRequest(CallerError):
    """A value in the request is not valid."""

    code = "invalid-request"

    def __init__(self, message: str | None = None, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class Refused(CallerError):
    """A policy of this install refuses the request."""

    code = "refused"


class NotFound(CallerError):
    """There is no such thing, or it is not yours to see."""

    code = "not-found"


class NotAllowed(CallerError):
    """You may not do this."""

    code = "not-allowed"


class NotSignedIn(NotAllowed):
    """You are not signed in."""

    code = "not-signed-in"


class Conflict(CallerError):
    """The state of things does not allow this now."""

    code = "conflict"


class LimitReached(CallerError):
    """A limit of this install is reached."""

    code = "limit-reached"


class TooManyRequests(LimitReached):
    """Too many requests; wait a little."""

    code = "too-many-requests"

    def __init__(self, message: str | None = None, *, delay: float = 1.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.delay = delay


class TimedOut(CallerError):
    """It did not happen in the time allowed."""

    code = "timed-out"


class ProviderError(GpudevError):
    """The outside world did not do what was asked."""

    code = "provider-error"


class NoCapacity(ProviderError):
    """There is no room for this now."""

    code = "no-capacity"


class TryLater(ProviderError):
    """The provider cannot answer now; the same call may work later."""

    code = "try-later"

    def __init__(self, message: str | None = None, *, delay: float = 5.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.delay = delay


class Unworkable(ProviderError):
    """The provider refuses this for good; trying again is useless."""

    code = "unworkable"


class SnapshotsOff(Unworkable):
    """Snapshots of this volume are off here; the volume itself stays."""

    code = "snapshots-off"


class PluginError(GpudevError):
    """A plugin cannot be used."""

    code = "plugin-error"


class UnknownProvider(PluginError):
    """No installed distribution offers a provider of this name."""

    code = "unknown-provider"


class BrokenPlugin(PluginError):
    """A plugin could not be loaded."""

    code = "broken-plugin"


class DuplicateProvider(PluginError):
    """Two distributions offer the same provider name."""

    code = "duplicate-provider"


class MissingAbility(PluginError):
    """The provider cannot do this."""

    code = "missing-ability"


class ConfigError(GpudevError):
    """The configuration is not valid."""

    code = "config-error"


class Unavailable(GpudevError):
    """gpudev cannot answer now; try again in a moment."""

    code = "unavailable"


class ServerUnreachable(Unavailable):
    """No gpudev server answers there."""

    code = "server-unreachable"


class StoreError(GpudevError):
    """The database cannot be used as it is."""

    code = "store-error"


class Paused(Unavailable):
    """This control plane is paused: its database does not match the world it controls."""

    code = "paused"


#: HTTP status by code; what is absent is a fault of ours (500).
HTTP_STATUS: dict[str, int] = {
    "invalid-request": 422,
    "refused": 403,
    "not-found": 404,
    "not-allowed": 403,
    "not-signed-in": 401,
    "conflict": 409,
    "limit-reached": 403,
    "too-many-requests": 429,
    "timed-out": 408,
    "no-capacity": 409,
    "missing-ability": 409,
    "snapshots-off": 409,
    "unavailable": 503,
    "paused": 503,
    "try-later": 503,
}

#: Exit status by code; what is absent exits 1.
EXIT_STATUS: dict[str, int] = {
    "invalid-request": 2,
    "refused": 4,
    "not-found": 3,
    "not-allowed": 4,
    "not-signed-in": 4,
    "limit-reached": 4,
    "too-many-requests": 4,
    "timed-out": 5,
    "no-capacity": 5,
}


def _all_errors() -> dict[str, type[GpudevError]]:
    found: dict[str, type[GpudevError]] = {}
    waiting: list[type[GpudevError]] = [GpudevError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return found


def from_code(code: str, message: str, hint: str | None = None) -> GpudevError:
    """Rebuild an error from its code, as the client does with a problem it received."""
    return _all_errors().get(code, GpudevError)(message, hint=hint)
