"""Google's own addresses, and one service account that is known there: what a plugin finds that is configured as in production.

It dials `compute.googleapis.com` and the others by the proxy that its environment names, which answers in their place with a
certificate that the environment trusts, and lets through what the account's key or a token of ours has signed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import secrets
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import attrs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, jwt

from gpudev_services.tls import ensure_certificates, server_context
from tests.contract.gcp.fake_compute import FakeCompute
from tests.contract.gcp.fake_compute_world import PROJECT
from tests.places.forwarding import Asked, Gate, Refused, passed

EMAIL = f"gpudev@{PROJECT}.iam.gserviceaccount.com"
_COMPUTE, _CONTAINER, _OAUTH = (f"{name}.googleapis.com" for name in ("compute", "container", "oauth2"))
_UNKNOWN = {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}
_REVOKED = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@attrs.define
class Account:
    """A service account."""

    #: The public half of its key.
    public: bytes
    #: By what its plugin finds Google, and knows who it is.
    environment: dict[str, str] = attrs.field(factory=dict)
    #: The access tokens that Google gives it.
    token: str = attrs.field(factory=secrets.token_urlsafe)
    #: Its key was not taken away.
    is_known: bool = True

    def admit(self, asked: Asked) -> dict[str, str]:
        """Let a call on that shows a token of ours, or one that the account's key has signed."""
        if asked.path == "/token":
            if not self._is_signed(parse_qs(asked.body.decode()).get("assertion", [""])[0]):
                raise Refused(400, _REVOKED)
        elif not self.is_known or not (asked.bearer == self.token or self._is_signed(asked.bearer)):
            raise Refused(401, {"error": _UNKNOWN})
        return passed(asked)

    def _is_signed(self, token: str) -> bool:
        try:
            return self.is_known and jwt.decode(token, certs=self.public)["iss"] == EMAIL
        except (ValueError, exceptions.GoogleAuthError):
            return False


@contextlib.contextmanager
def known_to(fake: FakeCompute, folder: pathlib.Path) -> Iterator[Account]:
    """Have a fake answer in Google's place whoever has the environment of an account; `folder` takes keys and certificates."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    account = Account(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    fake.token = (200, {"access_token": account.token, "expires_in": 3600, "token_type": "Bearer"})
    hosts, where = (_COMPUTE, _CONTAINER, _OAUTH), urlsplit(fake.url)
    certificates = ensure_certificates(folder, hosts)
    gate = Gate(
        lambda: http.client.HTTPConnection(where.hostname, where.port, timeout=30),
        account.admit,
        server_context(certificates),
        frozenset(f"{host}:443" for host in hosts),
    )
    (folder / "account.json").write_text(json.dumps(_file(key)))
    (folder / "trusted.pem").write_bytes(certificates.ca_pem)
    account.environment = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "account.json"),
        "REQUESTS_CA_BUNDLE": str(folder / "trusted.pem"),
        "HTTPS_PROXY": f"http://{gate.address}",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    try:
        yield account
    finally:
        gate.close()


def _file(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """Return the key of the account, as a file of Google's has it."""
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": private,
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": f"https://{_OAUTH}/token",
    }
