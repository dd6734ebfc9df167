"""Turns what a server answers into errors of ours, each with a next step. A reply is never trusted to be one of gpudev's."""

from __future__ import annotations

import msgspec

from gpudev_sdk.client.transport import Reply
from gpudev_sdk.errors import (
    GpudevError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooManyRequests,
    TryLater,
    Unavailable,
    from_code,
)
from gpudev_sdk.wire.views import ProblemView

#: The major version of servers that this client understands.
SPOKEN_MAJOR = "0"
UPGRADE = "Upgrade: pip install --upgrade gpudev-cli gpudev-sdk (or the server)."


class Garbled(Unavailable):
    """What answered there is not gpudev."""

    code = "garbled"


class OtherVersion(GpudevError):
    """The server is of another version than this client."""

    code = "other-version"


def upgrade(where: str, version: str = "") -> OtherVersion:
    """Return the error for a server of another version."""
    named = f" (it is {version})" if version else ""
    return OtherVersion(f"{where} is of another version than this client{named}", hint=UPGRADE)


def check_version(reply: Reply, where: str) -> None:
    """Raise OtherVersion if the reply says that it comes from a server of another major version."""
    version = reply.headers.get("gpudev-version", "")
    if version and version.partition(".")[0] != SPOKEN_MAJOR:
        raise upgrade(where, version[:20])


def unreadable(reply: Reply, where: str) -> Garbled:
    """Return the error for an answer that is not one of gpudev's."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    what = "a web page" if kind == "text/html" or reply.body[:100].lstrip()[:1] == b"<" else "something unreadable"
    return Garbled(
        f"{where} answered with {what} (status {reply.status})",
        hint="See that this is a gpudev server and that nothing stands in between: gpudev status.",
    )


def error_of(reply: Reply, where: str) -> GpudevError:
    """Return the error that a refusing reply stands for."""
    try:
        problem = msgspec.json.decode(reply.body, type=ProblemView, strict=True)
    except (ValueError, RecursionError):
        return _by_status(reply, where)
    code = problem.type.rpartition("/")[2]
    error = from_code(code, problem.detail or problem.title, problem.hint)
    if type(error) is GpudevError and reply.status < 500:
        error = _plain(reply.status, error)
    if error.hint is None:
        error.hint = _hint(error, problem)
    if isinstance(error, TooManyRequests | TryLater):
        error.delay = _delay(reply)
    return error


def _plain(status: int, error: GpudevError) -> GpudevError:
    """Return the best known error for a code that a newer server made up."""
    kinds: dict[int, type[GpudevError]] = {401: NotSignedIn, 403: NotAllowed, 404: NotFound, 429: TooManyRequests}
    return kinds.get(status, GpudevError)(error.message, hint=error.hint)


def _hint(error: GpudevError, problem: ProblemView) -> str | None:
    if isinstance(error, TooManyRequests | Unavailable):
        return "Wait a moment and try again."
    if problem.status >= 500:
        return f"Tell the operator of the server; its log has more under {problem.request_id or 'this moment'}."
    return None


def _delay(reply: Reply) -> float:
    given = reply.headers.get("retry-after", "")
    return min(float(given), 60.0) if given.isascii() and given.isdigit() else 1.0


def _by_status(reply: Reply, where: str) -> GpudevError:
    """Return the error for a refusal without a problem in it: a proxy's page, or a server that is going down."""
    if reply.status == 401:
        return NotSignedIn(f"{where} wants you to sign in", hint="Sign in: gpudev login.")
    if reply.status in (502, 503, 504):
        return Unavailable(f"{where} cannot answer now (status {reply.status})", hint="Wait a moment and try again.")
    return unreadable(reply, where)
