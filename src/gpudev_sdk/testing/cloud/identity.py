"""A login of the simulated cloud's people: each proves by a word that only they and the cloud know."""

from __future__ import annotations

import hashlib
import hmac

from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider
from gpudev_sdk.testing.cloud.settings import SimulatedSettings

FIELDS = {"person", "proof"}


class SimulatedIdentity(IdentityProvider):
    """People of a `SimulatedCloud`: `cloud.people[name] = word` lets one in."""

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, context: Context) -> None:
        self._cloud = settings.cloud
        self._person = settings.person

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        word = self._cloud.people.get(self._person)
        if word is None:
            raise NotSignedIn(f"{self._person} is not one of the cloud's people")
        fields = {"person": self._person, "proof": _proof(word, self._person, challenge)}
        return Credentials(provider="simulated", fields=fields)

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        return self._cloud.call("identity.verify_credentials", lambda: self._verify(credentials, challenge))

    def _verify(self, credentials: Credentials, challenge: Challenge) -> Identity:
        person, proof = (credentials.fields.get(name, "") for name in ("person", "proof"))
        word = self._cloud.people.get(person)
        if word is None or set(credentials.fields) != FIELDS:
            raise NotSignedIn
        if not hmac.compare_digest(proof.encode(), _proof(word, person, challenge).encode()):
            raise NotSignedIn
        return Identity(subject=f"person:{person}", display=person)


def _proof(word: str, person: str, challenge: Challenge) -> str:
    told = f"{person}\0{challenge.nonce}\0{challenge.audience}"
    return hmac.new(word.encode(), told.encode(), hashlib.sha256).hexdigest()
