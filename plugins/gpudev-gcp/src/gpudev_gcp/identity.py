"""The login `gcp`: an ID token that Google signed for this one sign-in.

Its audience is made of the server that was dialled and its nonce, so it is of no use to another server, nor again. Who it is
of is the claim `sub`, which Google never gives to another:
https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import ClassVar

import structlog

from gpudev_gcp import claims, id_tokens
from gpudev_gcp.google_keys import CERTS, GoogleKeys
from gpudev_gcp.login_settings import GcpLoginSettings
from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import ConfigError, InvalidRequest, NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider

NO = "the login was not accepted"
HINT = "Ask who runs the server whether your account is let in: docs/plugins/gcp-login.md says how."

log = structlog.get_logger()


class GcpIdentity(IdentityProvider):
    """A person is an account of Google; the subject is its `sub`."""

    Settings: ClassVar[type[GcpLoginSettings]] = GcpLoginSettings
    #: Nothing: each side has its own.
    public: ClassVar[tuple[str, ...]] = ()
    #: Where Google's public keys are, and where it makes tokens of who is impersonated.
    certs: ClassVar[str] = CERTS
    iam: ClassVar[str] = id_tokens.IAM

    def __init__(self, settings: GcpLoginSettings, context: Context) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._opened: GoogleKeys | None = None

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """Have a token made for this one sign-in; the keys that it is got with stay here."""
        if not challenge.audience:
            raise InvalidRequest("a login has to be made for the server that was dialled", field="audience")
        wanted = audience(challenge)
        text = id_tokens.fetch(wanted, self._settings.impersonate, self.iam)
        token = claims.read(text)
        # A token for anything else, such as the one gcloud has for itself, could be used there by who gets it.
        if token is None or token.claims.get("aud") != wanted:
            message = "Google made a token that is not for this sign-in alone; it is not sent"
            raise NotSignedIn(message, hint=id_tokens.AS_A_PERSON)
        return Credentials(provider="gcp", fields={"token": text})

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """Prove the token for this one sign-in, or raise NotSignedIn: in the same words whatever is wrong."""
        if not self._settings.hosted_domains and not self._settings.service_accounts:
            hint = "Say `service_accounts` or `hosted_domains` in the login's table, and start the server again."
            raise ConfigError("the login by Google says nobody who is let in", hint=hint)
        if set(credentials.fields) != {"token"} or not challenge.audience:
            raise _no("not one token")
        token = claims.read(credentials.fields["token"])
        if token is None:
            raise _no("no token")
        wrong = claims.fault(token.claims, audience(challenge), time.time())
        if wrong:
            raise _no(wrong)
        self._prove(token)
        email, domain = token.claims["email"], token.claims.get("hd")
        if not self._settings.allows(email, domain):
            raise _no("not of those who are let in")
        return Identity(subject=token.claims["sub"], display=email)

    def _prove(self, token: claims.IdToken) -> None:
        """See that Google signed it. Last of all, as keys may have to be fetched."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        kid = claims.key_id(token)
        key = self._keys.find(kid) if kid is not None else None
        if key is None:
            raise _no("signed by no key of Google")
        try:
            key.verify(token.signature, token.signed, PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise _no("a wrong signature") from error

    @property
    def _keys(self) -> GoogleKeys:
        with self._opening:
            if self._opened is None:
                self._opened = GoogleKeys(self.certs)
            return self._opened


def audience(challenge: Challenge) -> str:
    """Return the audience of a token for one sign-in: of the server that was dialled, and its nonce."""
    both = json.dumps([challenge.audience, challenge.nonce]).encode()
    return f"gpudev-login:{hashlib.sha256(both).hexdigest()}"


def _no(why: str) -> NotSignedIn:
    log.info("a login by Google was not accepted", reason=why)
    return NotSignedIn(NO, hint=HINT)
