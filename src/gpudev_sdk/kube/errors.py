"""What an API server answers, in gpudev's words: the one place where its errors are translated.

Statuses and reasons are those of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
The four classes here are for callers within this package; if one leaves it, trying again is right for all of them.
"""

from __future__ import annotations

import json

import attrs

from gpudev_sdk.errors import NoCapacity, ProviderError, TryLater, Unworkable

#: Words of Pod Security, of webhooks and policies of admission, of a LimitRange, and of a quota that wants to be told amounts.
_POLICIES = ("violates PodSecurity", "admission webhook", "ValidatingAdmissionPolicy", "usage per", "must specify")
#: A mistake in rights or settings lasts until somebody mends it.
_MENDED_BY_HAND = 30.0
#: Reasons with which an API server refuses what was sent, as it is.
_FOR_GOOD = ("Invalid", "BadRequest", "MethodNotAllowed", "RequestEntityTooLarge", "UnsupportedMediaType")
#: What changed meanwhile is looked at again at once.
_SOON = 0.5


class ObjectAbsent(TryLater):
    """There is no such object: the API server named it and said so."""


class ObjectExists(TryLater):
    """An object of that name is there already."""


class ObjectChanged(TryLater):
    """The object is not the one it was taken for, or was changed meanwhile."""


class TooOld(TryLater):
    """The API server does not remember that version any more; list again."""


@attrs.frozen(kw_only=True)
class Refusal:
    """An answer that is not a success."""

    status: int
    reason: str = ""
    message: str = ""
    #: The object that the answer is about, if it names one.
    name: str = ""
    #: Seconds after which to try again, if it says so.
    delay: float | None = None

    @classmethod
    def read(cls, status: int, body: bytes, headers: dict[str, str]) -> Refusal:
        """Read an answer; one that is no Status of Kubernetes (a proxy's page) has only its number."""
        try:
            plain = json.loads(body)
        except ValueError:
            plain = None
        if not isinstance(plain, dict) or plain.get("kind") != "Status":
            return cls(status=status, message=f"the answer {status} is not from a Kubernetes API")
        details = plain.get("details") or {}
        delay = details.get("retryAfterSeconds") or headers.get("retry-after")
        return cls(
            status=status,
            reason=plain.get("reason") or "",
            message=str(plain.get("message") or "")[:500],
            name=details.get("name") or "",
            delay=float(str(delay)) if str(delay or "").isdecimal() else None,
        )


def translate(refusal: Refusal, asked: str | None) -> ProviderError:
    """Return the error for a refusal; `asked` is the name of the object the call was about, if of one."""
    internal = _internal(refusal, asked)
    if internal is not None:
        return internal(refusal.message, delay=_SOON)
    if refusal.status in (401, 403):
        return _forbidden(refusal)
    if refusal.status in (400, 404, 405, 413, 415, 422) and refusal.reason in _FOR_GOOD:
        return Unworkable(f"the cluster refuses it: {refusal.message}")
    what = refusal.message or f"it answers {refusal.status}"
    return TryLater(f"the cluster cannot do it now: {what}", delay=refusal.delay or 2.0)


def _internal(refusal: Refusal, asked: str | None) -> type[TryLater] | None:
    """Only an answer that names what we asked for says that it is absent: a wrong address answers 404 too."""
    if refusal.status == 404 and refusal.reason == "NotFound" and asked and refusal.name == asked:
        return ObjectAbsent
    if refusal.status == 410:
        return TooOld
    if refusal.status == 409:
        return ObjectExists if refusal.reason == "AlreadyExists" else ObjectChanged
    return None


def _forbidden(refusal: Refusal) -> ProviderError:
    """Tell a right that we lack, which somebody may grant, from a policy that refuses this very object."""
    message = refusal.message
    if refusal.status == 401:
        return TryLater(
            "the cluster does not know us: our credentials are missing, wrong or expired", delay=_MENDED_BY_HAND
        )
    if "exceeded quota" in message:
        return NoCapacity(f"a quota of the cluster is used up: {message}")
    if any(word in message for word in _POLICIES):
        return Unworkable(f"a policy of the cluster refuses the box: {message}", hint="Ask whoever runs the cluster.")
    hint = "Grant it: docs/operate/kubernetes.md lists the rights that gpudev needs."
    return TryLater(f"the cluster does not allow it: {message}", delay=_MENDED_BY_HAND, hint=hint)
