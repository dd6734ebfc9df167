"""Google as the login meets it: keys, and ID tokens signed by them."""

from __future__ import annotations

import base64
import functools
import json
import time

import attrs
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gpudev_gcp.identity import audience
from gpudev_sdk.domain.user import Challenge
from tests.unit.gcp_more.web import Reply, Web

ACCOUNT = "kim@people-of-lab.iam.gserviceaccount.com"


def encode(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


@functools.cache
def rsa_key(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key of its own for each number; they take long to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(kid: str, key: rsa.RSAPrivateKey) -> dict:
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {
        "kid": kid,
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "n": encode(numbers.n.to_bytes(size, "big")),
        "e": encode(numbers.e.to_bytes(3, "big")),
    }


@attrs.define
class Google:
    """Its keys at an address of this machine."""

    web: Web = attrs.field(factory=Web)
    keys: dict[str, rsa.RSAPrivateKey] = attrs.field(factory=lambda: {"first": rsa_key(1)})
    #: What the address of the keys answers instead.
    bent: Reply | None = None
    life: str = "public, max-age=19000, must-revalidate"

    def __attrs_post_init__(self) -> None:
        self.web.answer = lambda asked: self.bent or Reply.of(self.key_set(), **{"Cache-Control": self.life})

    @property
    def fetches(self) -> int:
        return len(self.web.asked)

    def key_set(self) -> dict:
        return {"keys": [jwk(kid, key) for kid, key in self.keys.items()]}

    def token(self, challenge: Challenge, *, header: dict | None = None, key=None, **claims) -> str:
        """Sign a token; a claim that is None is left out."""
        now = int(time.time())
        plain = {
            "iss": "https://accounts.google.com",
            "aud": audience(challenge),
            "azp": "110248495921238986420",
            "sub": "110248495921238986420",
            "email": ACCOUNT,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        } | claims
        kept = {name: value for name, value in plain.items() if value is not None}
        head = {"alg": "RS256", "kid": "first", "typ": "JWT"} | (header or {})
        signed = f"{encode(json.dumps(head).encode())}.{encode(json.dumps(kept).encode())}"
        signature = (key or rsa_key(1)).sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{encode(signature)}"
