"""The challenge of a login by SSH signature, and what is signed for it. Pure but for the random bytes of a nonce.

A nonce is stateless: random bytes, its end, and a MAC over both. That it is used only once is recorded when it is used;
it can be written in one way only, so that no second spelling of it passes.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
import struct

from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.ssh.blobs import string

LASTS = dt.timedelta(seconds=60)
NAMESPACE = "gpudev-login@"
AGAIN = "Log in again: gpudev login."
_RANDOM = 32
_NONCE = re.compile(r"[A-Za-z0-9_-]{96}\Z")
_PURPOSE = b"gpudev login challenge v1\0"


def issue_challenge(secret: bytes, now: dt.datetime) -> Challenge:
    """Make a challenge that holds for 60 s; it is the same kind of answer for everyone."""
    expires = int((now + LASTS).timestamp() * 1000)
    body = secrets.token_bytes(_RANDOM) + struct.pack(">Q", expires)
    nonce = base64.urlsafe_b64encode(body + _mac(secret, body)).decode()
    return Challenge(nonce=nonce, expires_at=_moment(expires))


def check_challenge(secret: bytes, nonce: str, now: dt.datetime) -> dt.datetime:
    """Return when a nonce of ours ends; raise NotSignedIn for one that is not ours or whose time is over."""
    if not _NONCE.match(nonce):
        raise NotSignedIn("the login's challenge is not one of this server's", hint=AGAIN)
    raw = base64.urlsafe_b64decode(nonce)
    body, mac = raw[: _RANDOM + 8], raw[_RANDOM + 8 :]
    if not hmac.compare_digest(mac, _mac(secret, body)):
        raise NotSignedIn("the login's challenge is not one of this server's", hint=AGAIN)
    expires_at = _moment(struct.unpack(">Q", body[_RANDOM:])[0])
    if now >= expires_at or expires_at - now > 2 * LASTS:
        raise NotSignedIn("the login took too long", hint=AGAIN)
    return expires_at


def namespace(audience: str) -> str:
    """Return the namespace that a signature for this audience must carry."""
    return NAMESPACE + audience


def payload(challenge: Challenge, fingerprint: str) -> bytes:
    """Return what is signed: nonce, audience and key, each counted, so that no two differ only in where one ends."""
    return string(challenge.nonce) + string(challenge.audience) + string(fingerprint)


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, _PURPOSE + body, hashlib.sha256).digest()


def _moment(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, tz=dt.UTC)
