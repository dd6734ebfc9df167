"""Every error leaves as an RFC 9457 problem with a request id, and never with an exception's own text."""

from __future__ import annotations

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from gpudev_sdk.errors import HTTP_STATUS, GpudevError, InvalidRequest, TooManyRequests
from gpudev_sdk.wire.views import ProblemView

TYPES = "https://gpudev.dev/problems/"
log = structlog.get_logger()
_CODES = {400: "invalid-request", 401: "not-signed-in", 404: "not-found", 405: "not-found", 413: "invalid-request"}


def _answer(request: Request, problem: ProblemView, headers: dict[str, str] | None = None) -> Response[ProblemView]:  # type: ignore[type-arg]
    return Response(problem, status_code=problem.status, media_type="application/problem+json", headers=headers or {})


def request_id(request: Request) -> str:  # type: ignore[type-arg]
    """Return the id that this request goes by in logs and answers."""
    found: str = request.scope["state"].get("request_id", "")
    return found


def known(request: Request, error: GpudevError) -> Response[ProblemView]:  # type: ignore[type-arg]
    """Answer with an error of ours."""
    status = HTTP_STATUS.get(error.code, 500)
    if status == 500:
        log.error("request failed", request_id=request_id(request), path=request.url.path, reason=error.message)
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(max(1, round(error.delay)))
    elif status == 503:
        headers["Retry-After"] = "1"
    problem = ProblemView(
        type=TYPES + error.code,
        title=(type(error).__doc__ or error.code).strip().splitlines()[0],
        status=status,
        detail=error.message,
        request_id=request_id(request),
        field=error.field if isinstance(error, InvalidRequest) else None,
        hint=error.hint,
    )
    return _answer(request, problem, headers)


def framework(request: Request, error: HTTPException) -> Response[ProblemView]:  # type: ignore[type-arg]
    """Answer with what the framework refused before a handler of ours ran."""
    code = _CODES.get(error.status_code, "invalid-request" if error.status_code < 500 else "error")
    titles = {"not-found": "There is no such thing", "not-signed-in": "You are not signed in"}
    title = titles.get(code, "The request cannot be read" if error.status_code < 500 else "Something went wrong")
    problem = ProblemView(
        type=TYPES + code, title=title, status=error.status_code, detail=title + ".", request_id=request_id(request)
    )
    return _answer(request, problem)


def unexpected(request: Request, error: Exception) -> Response[ProblemView]:  # type: ignore[type-arg]
    """Answer with nothing but the request id; the log has the rest."""
    log.error("request failed", request_id=request_id(request), path=request.url.path, exc_info=error)
    problem = ProblemView(
        type=TYPES + "error",
        title="Something went wrong in gpudev",
        status=500,
        detail="The server's log has more under this request id.",
        request_id=request_id(request),
    )
    return _answer(request, problem)
