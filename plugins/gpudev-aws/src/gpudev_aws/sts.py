"""Asks STS who signed a request. What it answers is not trusted either: no redirects, 64 KB, ten seconds, and one form.

Errors: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import httpx2
import msgspec

from gpudev_aws.codes import THROTTLED
from gpudev_aws.signing import BODY
from gpudev_sdk.errors import TryLater

LONGEST = 64 * 1024
SECONDS = 10.0
_HINT = "Try again in a moment; if it stays so, see that the server reaches the STS of its region."


class _Error(msgspec.Struct, frozen=True):
    Code: str


class _Errors(msgspec.Struct, frozen=True):
    Error: _Error


class _Reply(NamedTuple):
    status: int
    kind: str
    body: bytes


def who_signed(url: str, headers: Mapping[str, str]) -> bytes | None:
    """Send the request, and return STS's answer; None if STS says that it is not well signed.

    Raises TryLater for everything else: what is not STS's own word is neither yes nor no. Has an event loop of its own, as only
    that can end a call whatever it is waiting for.
    """
    reply = asyncio.run(_post(url, headers, SECONDS))
    if reply.kind.partition(";")[0].strip().lower() != "application/json":
        raise _unlike(f"it answers {reply.status} in another form")
    if reply.status == 200:
        return reply.body
    code = _code(reply.body)
    if not 400 <= reply.status < 500 or not code or reply.status == 429 or code in THROTTLED:
        raise _unlike(f"it answers {reply.status}")
    return None


async def _post(url: str, headers: Mapping[str, str], seconds: float) -> _Reply:
    # Nothing of the environment: no proxy is told of a login unless somebody said so.
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client,
            client.stream("POST", url, headers={**headers, "accept-encoding": "identity"}, content=BODY) as response,
        ):
            body = bytearray()
            # As it comes: what is packed small could be large.
            async for part in response.aiter_raw():
                body += part
                if len(body) > LONGEST:
                    raise _unlike("its answer is too long")
            return _Reply(response.status_code, response.headers.get("content-type", ""), bytes(body))
    except TimeoutError as error:
        raise _unlike(f"no answer in {seconds:.0f} s") from error
    except httpx2.HTTPError as error:
        raise _unlike(type(error).__name__) from error


def _code(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Errors).Error.Code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _unlike(what: str) -> TryLater:
    return TryLater(f"AWS cannot say who you are now: {what}", hint=_HINT)
