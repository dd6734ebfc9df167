"""What Google's libraries raise and its APIs answer, in gpudev's words: the one place where it is translated.

Statuses and reasons: https://cloud.google.com/compute/docs/reference/rest/v1/errors and
https://cloud.google.com/apis/design/errors ; codes of failed operations:
https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation and, for disks,
https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-disks
The three classes here are for callers within this package; if one leaves it, trying again is right for all of them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import attrs

from gpudev_sdk.errors import Conflict, GpudevError, NoCapacity, TryLater, Unworkable

#: A mistake in rights or settings lasts until somebody mends it.
_MENDED_BY_HAND = 30.0
_THROTTLED = 10.0
_SOON = 1.0
_DOCS = "docs/plugins/gcp.md"
_PERMISSION = re.compile(r"Required '([a-zA-Z0-9.]+)' permission(?: for '([^']+)')?")
#: The forms that other APIs have: `Permission 'container.clusters.get' denied on resource …`, `Required "…" permission(s) for …`.
_DENIED = re.compile(r"Permission '([a-zA-Z0-9.]+)' denied|Required \"([a-zA-Z0-9.]+)\" permission")
#: What the library puts before the API's own words.
_ASKED = re.compile(r"\A(?:GET|POST|PUT|PATCH|DELETE) \S+: ")
#: Only an answer that names what is missing says that it is absent: a wrong address answers 404 too.
_ABSENT = re.compile(r"(?:The r|R)esource '([^']+/[^']+)' was not found")
_NO_PROJECT = re.compile(
    r"The resource 'projects/[^/']+' was not found|Failed to find project|Unknown project id|Project .* not found"
)
_NO_ZONE = re.compile(r"projects/[^/']+/zones/[^/']+' was not found|Unknown zone|Invalid value for field 'zone'")


class ObjectAbsent(TryLater):
    """There is no such object: the API named it and said so."""

    def __init__(
        self, message: str | None = None, *, resource: str = "", delay: float = 2.0, hint: str | None = None
    ) -> None:
        super().__init__(message, delay=delay, hint=hint)
        #: What the API named: `projects/P/zones/Z/disks/NAME`.
        self.resource = resource


class ObjectExists(TryLater):
    """An object of that name is there already."""


class ObjectChanged(TryLater):
    """The object was changed meanwhile: its fingerprint is another."""


@attrs.frozen
class _Answer:
    """What becomes of a refusal."""

    kind: type[GpudevError]
    means: str
    delay: float | None = None
    hint: str | None = None

    def error(self, what: str, said: str) -> GpudevError:
        """Return the error, with what the API said."""
        message = f"cannot {what}: {self.means}" + (f": {said}" if said else "")
        if self.delay is not None and issubclass(self.kind, TryLater):
            return self.kind(message, delay=self.delay, hint=self.hint)
        return self.kind(message, hint=self.hint)


_QUOTA = _Answer(
    NoCapacity,
    "a quota of the project is used up",
    hint="Ask for more: https://cloud.google.com/docs/quotas/view-manage",
)
_EXHAUSTED = _Answer(NoCapacity, "Google has no room for it in this zone now")
_SLOWER = _Answer(TryLater, "Google asks us to be slower", _THROTTLED)
_TOO_OFTEN = _Answer(TryLater, "this was done too often with that disk just now", 60.0)
_IN_USE = _Answer(Conflict, "it is in use")
_NOT_READY = _Answer(TryLater, "it is still being worked on", 2.0)
_API_OFF = _Answer(
    TryLater,
    "the API is not switched on in this project",
    _MENDED_BY_HAND,
    f"Switch it on: gcloud services enable compute.googleapis.com container.googleapis.com ({_DOCS}).",
)
_NO_BILLING = _Answer(TryLater, "the project's billing is off", _MENDED_BY_HAND, "Whoever pays for it can mend that.")
_REFUSED = _Answer(Unworkable, "Google refuses it")
_FAILED = _Answer(TryLater, "Google has trouble", 5.0)

#: Reasons in `error.errors[].reason`.
_REASONS: dict[str, _Answer] = {
    "quotaExceeded": _QUOTA,
    "limitExceeded": _QUOTA,
    "resourceExhausted": _EXHAUSTED,
    "rateLimitExceeded": _SLOWER,
    "userRateLimitExceeded": _SLOWER,
    "resourceOperationRateExceeded": _TOO_OFTEN,
    "resourceInUseByAnotherResource": _IN_USE,
    "resourceNotReady": _NOT_READY,
    "accessNotConfigured": _API_OFF,
    "SERVICE_DISABLED": _API_OFF,
    "billingNotEnabled": _NO_BILLING,
}
#: Codes in `error.errors[].code` of an operation.
_CODES: dict[str, _Answer] = {
    "QUOTA_EXCEEDED": _QUOTA,
    "LIMIT_EXCEEDED": _QUOTA,
    "ZONE_RESOURCE_POOL_EXHAUSTED": _EXHAUSTED,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": _EXHAUSTED,
    "RESOURCE_POOL_EXHAUSTED": _EXHAUSTED,
    "RATE_LIMIT_EXCEEDED": _SLOWER,
    "RESOURCE_OPERATION_RATE_EXCEEDED": _TOO_OFTEN,
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": _IN_USE,
    "RESOURCE_NOT_READY": _NOT_READY,
    "INTERNAL_ERROR": _FAILED,
    "SERVICE_UNAVAILABLE": _FAILED,
    "RESOURCE_ALREADY_EXISTS": _Answer(ObjectExists, "there is one of that name already", _SOON),
    "INVALID_USAGE": _REFUSED,
    "INVALID_FIELD_VALUE": _REFUSED,
    "UNSUPPORTED_OPERATION": _REFUSED,
    "RESOURCE_NOT_FOUND": _Answer(Unworkable, "what it needs is not there"),
}
#: What is left of statuses once reasons and texts are read.
_STATUSES: dict[int, _Answer] = {
    400: _REFUSED,
    404: _Answer(TryLater, "there is nothing of that kind where Google is asked", _MENDED_BY_HAND),
    405: _REFUSED,
    409: _Answer(ObjectExists, "there is one of that name already", _SOON),
    412: _Answer(ObjectChanged, "it was changed meanwhile", _SOON),
    413: _REFUSED,
    429: _SLOWER,
}
_NO_CREDENTIALS = _Answer(
    TryLater,
    "no credentials for Google Cloud are found",
    _MENDED_BY_HAND,
    "On a machine: gcloud auth application-default login. On GKE: bind the service account (Workload Identity, "
    + f"{_DOCS}).",
)
_EXPIRED = _Answer(
    TryLater,
    "the credentials for Google Cloud have expired or were revoked",
    _MENDED_BY_HAND,
    "Log in again: gcloud auth application-default login.",
)
_SKEWED = _Answer(
    TryLater,
    "this machine's clock is wrong, so Google does not take its proof",
    _MENDED_BY_HAND,
    "Set the clock: timedatectl set-ntp true.",
)
_NO_TOKEN = _Answer(
    TryLater,
    "no token for Google Cloud can be had",
    _MENDED_BY_HAND,
    f"See who we are and whether that account is there still: {_DOCS} (Who gpudev is).",
)
_UNKNOWN_TO_GOOGLE = _Answer(
    TryLater,
    "Google does not know us: the credentials are missing, wrong or expired",
    _MENDED_BY_HAND,
    "Log in again: gcloud auth application-default login.",
)
_WRONG_PROJECT = _Answer(
    TryLater,
    "there is no such project, or it is not ours to see",
    _MENDED_BY_HAND,
    "Set `project` of the backend to an id that `gcloud projects list` shows.",
)
_WRONG_ZONE = _Answer(
    Unworkable,
    "there is no such zone",
    hint="Set `zones` of the backend to some that `gcloud compute zones list` shows.",
)
_DOWN = _Answer(
    TryLater, "Google Cloud does not answer", 5.0, "See whether this machine reaches it, and the backend's `endpoint`."
)


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn whatever Google's libraries raise in the block into an error of gpudev; `what` is what was being done."""
    try:
        yield
    except _foreign() as error:
        raise translate(error, what) from error


def translate(error: BaseException, what: str) -> GpudevError:
    """Return the error of gpudev for one of Google's."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    if isinstance(error, RetryError) and error.cause is not None:
        return translate(error.cause, what)
    if isinstance(error, GoogleAPICallError):
        return _refusal(error, what)
    if isinstance(error, (TransportError, RequestException, HTTPError)):
        return _DOWN.error(what, _first_line(error))
    if isinstance(error, DefaultCredentialsError):
        return _NO_CREDENTIALS.error(what, "")
    if isinstance(error, GoogleAuthError):
        return _proof(_first_line(error)).error(what, _first_line(error))
    return _FAILED.error(what, _first_line(error))


def of_operation(code: str, said: str, what: str) -> GpudevError:
    """Return the error for an operation that failed."""
    if code in ("PERMISSIONS_ERROR", "FORBIDDEN", "UNAUTHORIZED"):
        return _forbidden(said, what)
    return _CODES.get(code, _FAILED).error(what, f"{code}: {said[:300]}")


def _foreign() -> tuple[type[BaseException], ...]:
    """Return what those libraries raise. Asked only when something was raised, so that nothing is imported before."""
    from google.api_core.exceptions import AsyncRestUnsupportedParameterError, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    return (GoogleAPIError, AsyncRestUnsupportedParameterError, GoogleAuthError, RequestException, HTTPError)


def _refusal(error: Any, what: str) -> GpudevError:
    """Read an answer of an API: its reasons first, which say most, then its words, then its status."""
    status = int(error.code or 0)
    said = _ASKED.sub("", _first_line(error.message))
    reasons = [each.get("reason", "") for each in error.errors or () if isinstance(each, dict)]
    for reason in [*reasons, error.reason or ""]:
        if reason in _REASONS:
            return _REASONS[reason].error(what, said)
    if _NO_PROJECT.search(said):
        return _WRONG_PROJECT.error(what, said)
    if _NO_ZONE.search(said):
        return _WRONG_ZONE.error(what, said)
    absent = _ABSENT.search(said)
    if status == 404 and absent:
        return ObjectAbsent(f"cannot {what}: {said}", resource=absent[1])
    if status == 401:
        return _UNKNOWN_TO_GOOGLE.error(what, said)
    if status == 403:
        return _forbidden(said, what)
    return _STATUSES.get(status, _FAILED).error(what, said)


def _forbidden(said: str, what: str) -> GpudevError:
    found = _PERMISSION.search(said) or _DENIED.search(said)
    names = [group for group in found.groups() if group] if found else []
    if not names:
        hint = f"{_DOCS} lists the permissions that gpudev needs."
        return TryLater(f"cannot {what}: Google does not allow it: {said}", delay=_MENDED_BY_HAND, hint=hint)
    where = f" for {names[1]}" if len(names) > 1 else ""
    hint = f"Grant {names[0]} to the account that gpudev runs as: {_DOCS} has the whole role."
    message = f"cannot {what}: the permission {names[0]} is missing{where}"
    return TryLater(message, delay=_MENDED_BY_HAND, hint=hint)


def _proof(said: str) -> _Answer:
    """Tell why no token was given, by the words of https://developers.google.com/identity/protocols/oauth2."""
    lowered = said.lower()
    if "iat and exp" in lowered or "short-lived token" in lowered or "clock" in lowered:
        return _SKEWED
    if "expired" in lowered or "revoked" in lowered or "reauth" in lowered or "invalid_grant" in lowered:
        return _EXPIRED
    return _NO_TOKEN


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
