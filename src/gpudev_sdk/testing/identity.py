"""The laws of `IdentityProvider`."""

from __future__ import annotations

import datetime as dt
import re
import secrets

import attrs
import pytest

from gpudev_sdk.domain.user import Challenge, Credentials
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider
from gpudev_sdk.testing.base import Contract

AUDIENCE = "https://gpudev.example:7070"


class IdentityContract(Contract[IdentityProvider]):
    """Name `provider` or give `identity`; `client` where the person has other settings, and `secret` if there is a key."""

    @pytest.fixture
    def identity(self, context: Context) -> IdentityProvider:
        """Return the provider as the server has it."""
        return self.build(context)

    @pytest.fixture
    def client(self, identity: IdentityProvider) -> IdentityProvider:
        """Return the provider as the person has it."""
        return identity

    @pytest.fixture
    def secret(self) -> str:
        """Return the person's secret, which must never be presented."""
        pytest.skip("no fixture `secret`: that it stays with the person is not tested")

    @pytest.fixture
    def challenge(self) -> Challenge:
        """Return a fresh challenge, with the audience that the client dialled."""
        return Challenge(
            nonce=secrets.token_urlsafe(72),
            expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1),
            audience=AUDIENCE,
        )

    @pytest.fixture
    def credentials(self, client: IdentityProvider, challenge: Challenge) -> Credentials:
        """Return what the person presents."""
        return client.get_caller_identity(challenge)

    def test_what_the_client_presents_the_server_believes(
        self, identity: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.1: by a subject that can be read out, copied into a shell, and kept."""
        subject = identity.verify_credentials(credentials, challenge).subject

        assert re.fullmatch(r"(?=.{1,160}\Z)[!-&(-~]+( [!-&(-~]+)*", subject), subject

    def test_the_same_person_has_the_same_subject_each_time(
        self, identity: IdentityProvider, client: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.1."""
        later = attrs.evolve(challenge, nonce=secrets.token_urlsafe(72))

        again = identity.verify_credentials(client.get_caller_identity(later), later)

        assert again.subject == identity.verify_credentials(credentials, challenge).subject

    def test_a_tampered_proof_is_refused(
        self, identity: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.2: whichever field is changed."""
        for name, value in credentials.fields.items():
            for changed in (_flipped(value), "", value + "A"):
                forged = attrs.evolve(credentials, fields=credentials.fields | {name: changed})
                with pytest.raises(NotSignedIn):
                    identity.verify_credentials(forged, challenge)

    def test_a_missing_or_unknown_field_is_refused(
        self, identity: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.2."""
        for name in credentials.fields:
            rest = {other: value for other, value in credentials.fields.items() if other != name}
            with pytest.raises(NotSignedIn):
                identity.verify_credentials(attrs.evolve(credentials, fields=rest), challenge)

    def test_a_proof_for_another_nonce_is_refused(
        self, identity: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.3."""
        other = attrs.evolve(challenge, nonce=secrets.token_urlsafe(72))

        with pytest.raises(NotSignedIn):
            identity.verify_credentials(credentials, other)

    def test_a_proof_for_another_audience_is_refused(
        self, identity: IdentityProvider, credentials: Credentials, challenge: Challenge
    ) -> None:
        """Law 5.3: a server that passes the challenge on learns nothing it can use."""
        other = attrs.evolve(challenge, audience="https://elsewhere.example:7070")

        with pytest.raises(NotSignedIn):
            identity.verify_credentials(credentials, other)

    def test_the_secret_is_never_presented(self, credentials: Credentials, secret: str) -> None:
        """Law 5.4."""
        assert all(secret not in value for value in credentials.fields.values())

    def test_credentials_do_not_show_in_their_repr(self, credentials: Credentials) -> None:
        """Law 5.4."""
        assert all(value not in repr(credentials) for value in credentials.fields.values() if len(value) > 8)


def _flipped(value: str) -> str:
    """Change one letter in the middle."""
    middle = len(value) // 2
    other = "A" if value[middle : middle + 1] != "A" else "B"
    return value[:middle] + other + value[middle + 1 :]
