"""A login for tests, whose people say themselves who they are: whoever knows the word proves any subject with any display."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

import attrs

from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider


@attrs.frozen(kw_only=True)
class CorpSettings:
    """One field of each type that a text can be read as, and some that no server may set."""

    account: str = ""
    display: str = ""
    realm: str = attrs.field(default="main", validator=attrs.validators.matches_re(r"[a-z]+\Z"))
    patience: int = 5
    ratio: float = 0.5
    strict: bool = False
    groups: list[str] = attrs.field(factory=list)
    note: str | None = None
    table: dict[str, int] = attrs.field(factory=dict)
    endpoint: str = ""
    kubeconfig: str = ""
    word: str = attrs.field(default="open", repr=False)


class CorpIdentity(IdentityProvider):
    """The proof covers subject, display, nonce and audience."""

    Settings: ClassVar[type[Any]] = CorpSettings
    public: ClassVar[tuple[str, ...]] = ("realm", "strict", "patience")

    def __init__(self, settings: CorpSettings, context: Context) -> None:
        self.settings = settings
        self.context = context

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        person = (self.settings.account, self.settings.display)
        fields = {"subject": person[0], "display": person[1], "proof": self._proof(person, challenge)}
        return Credentials(provider="corp", fields=fields)

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        subject, display, proof = (credentials.fields.get(name, "") for name in ("subject", "display", "proof"))
        if not hmac.compare_digest(proof.encode(), self._proof((subject, display), challenge).encode()):
            raise NotSignedIn("the login was not accepted", hint="Ask an admin of this install.")
        return Identity(subject=subject, display=display)

    def _proof(self, person: tuple[str, str], challenge: Challenge) -> str:
        told = repr((*person, challenge.nonce, challenge.audience))
        return hmac.new(self.settings.word.encode(), told.encode(), hashlib.sha256).hexdigest()
