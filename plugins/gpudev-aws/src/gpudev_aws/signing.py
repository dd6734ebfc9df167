"""The one request of the login, made in the same way on both sides: GetCallerIdentity of a region's own STS.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
The person signs it and sends only the pieces that cannot be known here; the server builds it anew from them and from what it
knows itself. So nobody can have the server call anything else, nor believe an answer to anything else.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import attrs

from gpudev_aws.partitions import is_region, sts_host
from gpudev_sdk.domain.user import Challenge

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
AUDIENCE, NONCE, TOKEN = "x-gpudev-audience", "x-gpudev-challenge", "x-amz-security-token"
STAMP = "%Y%m%dT%H%M%SZ"
_ALGORITHM = "AWS4-HMAC-SHA256"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
#: What goes into a header: visible ASCII, so that nothing begins another header or is folded away.
_VISIBLE = re.compile(r"[!-~]{1,1024}\Z")
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")
#: https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html : 16 to 128 of \w.
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}\Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}\Z")
_SESSION_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{16,12288}\Z")


@attrs.frozen(kw_only=True)
class Pieces:
    """What a person presents. `token` is what STS needs of temporary credentials; it can sign nothing without the key."""

    region: str
    #: When it was signed, as in `X-Amz-Date`.
    date: str
    key_id: str
    signature: str = attrs.field(repr=False)
    #: The names of the headers that were signed.
    signed_headers: str
    token: str = attrs.field(default="", repr=False)

    @classmethod
    def read(cls, fields: dict[str, str]) -> Pieces | None:
        """Read what was presented; None if anything is missing, more than known, or not of its grammar."""
        wanted = {field.name for field in attrs.fields(cls)}
        if fields.keys() - wanted or wanted - {"token"} - fields.keys():
            return None
        found = cls(**fields)
        lawful = (
            is_region(found.region)
            and _DATE.match(found.date)
            and _KEY_ID.match(found.key_id)
            and _SIGNATURE.match(found.signature)
            and ("token" not in fields or _SESSION_TOKEN.match(found.token))
        )
        return found if lawful else None

    def fields(self) -> dict[str, str]:
        """Return them as a login presents them."""
        shown: dict[str, str] = attrs.asdict(self)
        return {name: value for name, value in shown.items() if value}

    @property
    def signed_at(self) -> dt.datetime | None:
        """Return when it was signed; None for a time that there is not."""
        try:
            return dt.datetime.strptime(self.date, STAMP).replace(tzinfo=dt.UTC)
        except ValueError:
            return None


def is_lawful(challenge: Challenge) -> bool:
    """Say whether audience and nonce can be put into headers as they are."""
    return bool(_VISIBLE.match(challenge.audience) and _VISIBLE.match(challenge.nonce))


def headers(region: str, date: str, token: str, challenge: Challenge) -> dict[str, str]:
    """Return the headers that are signed: all that decide what is asked, and for whom."""
    plain = {
        "accept": "application/json",
        "content-type": _FORM,
        "host": sts_host(region),
        "x-amz-date": date,
        AUDIENCE: challenge.audience,
        NONCE: challenge.nonce,
    }
    return plain | ({TOKEN: token} if token else {})


def names(signed: dict[str, str]) -> str:
    """Return how the names of signed headers are written."""
    return ";".join(sorted(signed))


def sign(keys: Any, region: str, now: dt.datetime, challenge: Challenge) -> Pieces:
    """Sign with credentials as botocore has them; the secret key is used here and goes nowhere."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    date, token = now.strftime(STAMP), keys.token or ""
    signed = headers(region, date, token, challenge)
    request = AWSRequest(method="POST", url=f"https://{sts_host(region)}/", headers=signed, data=BODY)
    request.context["timestamp"] = date
    # Not `add_auth`, which writes the signature and the token into a log.
    signer = SigV4Auth(keys, "sts", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signature = str(signer.signature(text, request))
    return Pieces(
        region=region, date=date, key_id=keys.access_key, signature=signature, signed_headers=names(signed), token=token
    )


def rebuild(pieces: Pieces, challenge: Challenge) -> dict[str, str] | None:
    """Return the headers of the request that was signed, or None if it was another than the one that we make.

    Of the pieces only values of a strict grammar enter; audience and nonce are the server's own.
    """
    signed = headers(pieces.region, pieces.date, pieces.token, challenge)
    if pieces.signed_headers != names(signed):
        return None
    scope = f"{pieces.key_id}/{pieces.date[:8]}/{pieces.region}/sts/aws4_request"
    how = f"{_ALGORITHM} Credential={scope}, SignedHeaders={pieces.signed_headers}, Signature={pieces.signature}"
    return signed | {"authorization": how}
