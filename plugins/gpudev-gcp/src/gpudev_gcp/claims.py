"""An ID token read and judged by the clock, and nothing believed that is not proved. Pure.

Form and claims: https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken ,
https://www.rfc-editor.org/rfc/rfc7519 and https://www.rfc-editor.org/rfc/rfc8725 (one algorithm, an audience of its own).
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, TypeAlias

import attrs

Json: TypeAlias = dict[str, Any]

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
ALGORITHM = "RS256"
#: How far two clocks may be apart, and how long Google's tokens last.
SKEW, LASTS = 60, 3600
_LONGEST = 16 * 1024
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
#: What is kept of whom a login proves: docs/plugins/contract.md, 5.1. Google's own are 21 digits.
_SUBJECT = re.compile(r"[!-&(-~]{1,160}\Z")


@attrs.frozen(kw_only=True)
class IdToken:
    """A token's parts. Whether they are true is for the signature to say."""

    header: Json
    claims: Json
    signed: bytes
    signature: bytes


def read(text: str) -> IdToken | None:
    """Read a token, or return None for what is none."""
    if len(text) > _LONGEST or not _FORM.match(text):
        return None
    signed, _, signature = text.rpartition(".")
    header, _, claims = signed.partition(".")
    try:
        parts = json.loads(decode(header)), json.loads(decode(claims))
        proof = decode(signature)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(part, dict) for part in parts):
        return None
    return IdToken(header=parts[0], claims=parts[1], signed=signed.encode(), signature=proof)


def decode(text: str) -> bytes:
    """Decode base64url without padding; raise ValueError for what is not in its one form."""
    plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(plain).rstrip(b"=").decode() != text:
        raise ValueError("not base64url")
    return plain


def key_id(token: IdToken) -> str | None:
    """Return which key is said to have signed, or None if it is signed in no way that we take."""
    kid = token.header.get("kid")
    if token.header.get("alg") != ALGORITHM or "crit" in token.header or not isinstance(kid, str):
        return None
    return kid or None


def fault(claims: Json, audience: str, now: float) -> str:
    """Say what is wrong with claims, or nothing: in words for the server's log, never for who presents them."""
    times = [claims.get(name) for name in ("iat", "exp")] + ([claims["nbf"]] if "nbf" in claims else [])
    if claims.get("iss") not in ISSUERS:
        return "another issuer"
    # A list of audiences, even with ours in it, is a token that others may use as well.
    if not isinstance(claims.get("aud"), str) or claims["aud"] != audience:
        return "another audience"
    if not all(isinstance(moment, int) and not isinstance(moment, bool) for moment in times):
        return "no times"
    issued, ends, begins = claims["iat"], claims["exp"], claims.get("nbf", claims["iat"])
    if not 0 < ends - issued <= LASTS + SKEW:
        return "it lasts too long"
    if ends <= now - SKEW or max(issued, begins) > now + SKEW:
        return "it is not of now"
    return _fault_of_person(claims)


def _fault_of_person(claims: Json) -> str:
    subject, email, domain = claims.get("sub"), claims.get("email"), claims.get("hd")
    if not isinstance(subject, str) or not _SUBJECT.match(subject):
        return "no subject"
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return "no verified mail"
    return "" if domain is None or isinstance(domain, str) else "no domain"
