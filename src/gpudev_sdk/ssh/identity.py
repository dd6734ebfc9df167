"""The login `ssh`. The client has OpenSSH sign the server's challenge; the server verifies it in its own process."""

from __future__ import annotations

import hmac
import pathlib
from typing import Any

import attrs

from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import InvalidRequest, NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider
from gpudev_sdk.ssh import login, signing
from gpudev_sdk.ssh.keys import parse_public_key
from gpudev_sdk.ssh.signature import parse_signature

NO = "the login was not accepted"
HINT = "See that an admin enrolled your key: gpudev admin users add NAME --key FILE.pub."


@attrs.frozen(kw_only=True)
class SshSettings:
    """What a client may be told; a server needs nothing."""

    #: The key file to sign with; empty: the default keys, then the agent's.
    key: str = ""


class SshIdentity(IdentityProvider):
    """A person is who holds an enrolled key; the subject of an identity is the key's fingerprint."""

    Settings = SshSettings

    def __init__(self, settings: Any, context: Context) -> None:
        self._key = pathlib.Path(settings.key).expanduser() if settings.key else None

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """Sign the challenge for the audience that was dialled; raise NotSignedIn if no key can."""
        if not challenge.audience:
            raise InvalidRequest("a login has to be signed for the server that was dialled", field="audience")
        signed = signing.sign(
            self._key,
            login.namespace(challenge.audience),
            lambda fingerprint: login.payload(challenge, fingerprint),
        )
        return Credentials(provider="ssh", fields={"public_key": signed.key.line, "signature": signed.signature})

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """Prove the signature, or raise NotSignedIn: in the same words whatever is wrong with it."""
        # A server's library, loaded on servers only.
        from gpudev_sdk.ssh.verify import is_valid

        fields = credentials.fields
        if set(fields) != {"public_key", "signature"} or not challenge.audience:
            raise NotSignedIn(NO, hint=HINT)
        try:
            key, signature = parse_public_key(fields["public_key"]), parse_signature(fields["signature"])
        except InvalidRequest as error:
            raise NotSignedIn(NO, hint=error.hint or HINT) from error
        wanted = login.namespace(challenge.audience)
        same = key.line == signature.key.line and hmac.compare_digest(signature.namespace.encode(), wanted.encode())
        if not same or not is_valid(signature, login.payload(challenge, key.fingerprint)):
            raise NotSignedIn(NO, hint=HINT)
        return Identity(subject=key.fingerprint, display=key.fingerprint)
