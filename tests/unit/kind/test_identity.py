"""The login by service accounts, over a small stand-in of TokenRequest and TokenReview."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid

import attrs
import pytest

from gpudev_kind.identity import LASTS, KindIdentity, audience
from gpudev_kind.settings import KindLoginSettings
from gpudev_sdk.domain.user import Credentials
from gpudev_sdk.errors import InvalidRequest, NotSignedIn, TryLater
from gpudev_sdk.testing import IdentityContract

KEY = b"the cluster's own key"


def encode(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


GOOD = "a." + encode(b'{"iat": 0, "exp": 600}') + ".c"
#: Tokens of claims that are no claims, or say no times.
BENT = [
    f"a.{encode(claims)}.c"
    for claims in (
        b'{"iat": 0, "exp": 1e400}', b'{"iat": -1e400, "exp": 600}', b'{"iat": 0, "exp": NaN}', b'{"iat": 0, "exp": [600]}',
        b'{"iat": 0, "exp": ' + b"9" * 5000 + b"}", b"[" * 9000, b"[0]", b"7", b"\xff", b'{"iat": 600, "exp": 600}',
        b'{"iat": 0, "exp": 600, "more": "' + b"x" * 20_000 + b'"}',
    )
]  # fmt: skip


@attrs.define
class Tokens:
    """A cluster's tokens. What is signed is what was asked for, as a cluster does it."""

    namespace: str = "gpudev-people"
    accounts: dict[str, str] = attrs.field(factory=lambda: {"kim": str(uuid.UUID(int=1)), "lee": str(uuid.UUID(int=2))})
    lasts: int = LASTS
    #: What reviews answer beside the truth.
    bent: dict = attrs.field(factory=dict)
    asked: list = attrs.field(factory=list)
    away: bool = False

    def create(self, kind, body):
        if self.away:
            raise TryLater("the cluster does not answer")
        self.asked.append((kind.path(self.namespace), body))
        return {
            "status": self._request(kind, body["spec"]) if kind.name == "TokenRequest" else self._review(body["spec"])
        }

    def _request(self, kind, spec):
        name = kind.plural.split("/")[1]
        if name not in self.accounts:
            raise TryLater(f'serviceaccounts "{name}" not found')
        claims = {"aud": spec["audiences"], "iat": 10**9, "exp": 10**9 + self.lasts}
        claims["sub"] = f"system:serviceaccount:{self.namespace}:{name}"
        body = f"{encode(b'{}')}.{encode(json.dumps(claims).encode())}"
        return {"token": f"{body}.{self._sign(body)}"}

    def _review(self, spec):
        body, _, signature = spec["token"].rpartition(".")
        if not hmac.compare_digest(signature, self._sign(body)):
            return {"authenticated": False, "error": "invalid bearer token"}
        claims = json.loads(base64.urlsafe_b64decode(body.split(".")[1] + "=="))
        both = [each for each in claims["aud"] if each in spec["audiences"]]
        if not both:
            return {"authenticated": False, "error": "token audiences"}
        user = {"username": claims["sub"], "uid": self.accounts[claims["sub"].rpartition(":")[2]]}
        return {"authenticated": True, "audiences": both, "user": user} | self.bent

    def _sign(self, body):
        return encode(hmac.new(KEY, body.encode(), hashlib.sha256).digest())


class Over(KindIdentity):
    tokens: Tokens

    def connect(self):
        return self.tokens


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def login(tokens, context):
    def make(**settings):
        made = Over(KindLoginSettings(**settings), context)
        made.tokens = tokens
        return made

    return make


class TestLaws(IdentityContract):
    @pytest.fixture
    def identity(self, login):
        return login()

    @pytest.fixture
    def client(self, login):
        return login(account="kim")

    @pytest.fixture
    def secret(self):
        return KEY.decode()

    def test_a_token_is_for_one_sign_in_and_ten_minutes(self, client, tokens, challenge):
        client.get_caller_identity(challenge)
        path, body = tokens.asked[0]

        assert path == "/api/v1/namespaces/gpudev-people/serviceaccounts/kim/token"
        assert body == {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience(challenge)], "expirationSeconds": 600},
        }

    def test_two_people_are_two_subjects_and_a_new_account_of_a_name_is_another(
        self, identity, login, tokens, challenge
    ):
        def subject(account):
            return identity.verify_credentials(login(account=account).get_caller_identity(challenge), challenge).subject

        first, other = subject("kim"), subject("lee")
        tokens.accounts["kim"] = str(uuid.UUID(int=3))

        assert first == f"gpudev/{uuid.UUID(int=1)}"
        assert len({first, other, subject("kim")}) == 3

    @pytest.mark.parametrize(
        "bent",
        [
            {"authenticated": "yes"},
            {"audiences": []},
            {"audiences": ["https://kubernetes.default.svc"]},
            {"user": {"username": "kubernetes-admin", "uid": "1"}},
            {"user": {"username": "oidc:serviceaccount:gpudev-people:kim", "uid": "1"}},
            {"user": {"username": "system:node:gpudev-people:kim", "uid": "1"}},
            {"user": {"username": "system:serviceaccount:gpu-dev:kim", "uid": "1"}},
            {"user": {"username": "system:serviceaccount:gpudev-people:kim:more", "uid": "1"}},
            {"user": {"username": "system:serviceaccount:gpudev-people:kim", "uid": ""}},
            {"user": None},
        ],
    )
    def test_a_review_that_says_less_than_all_is_not_believed(self, identity, credentials, challenge, tokens, bent):
        tokens.bent = bent

        with pytest.raises(NotSignedIn):
            identity.verify_credentials(credentials, challenge)

    def test_a_token_that_lasts_longer_is_neither_sent_nor_taken(self, identity, client, tokens, challenge):
        credentials = client.get_caller_identity(challenge)
        tokens.lasts = 3600
        with pytest.raises(NotSignedIn, match="lasts too long"):
            client.get_caller_identity(challenge)
        assert identity.verify_credentials(credentials, challenge)
        long = tokens.create(*_request(challenge))["status"]["token"]

        with pytest.raises(NotSignedIn):
            identity.verify_credentials(Credentials(provider="kind", fields={"token": long}), challenge)

    @pytest.mark.parametrize(
        "token", ["", "a.b", "a.b.c", "a.e30.c", "a.bnVsbA.c", "x" * 20000, GOOD + "\n", "ä.b.c", "a.AA.b", *BENT]
    )
    def test_what_is_no_token_is_not_even_asked_about(self, identity, tokens, challenge, token):
        with pytest.raises(NotSignedIn):
            identity.verify_credentials(Credentials(provider="kind", fields={"token": token}), challenge)
        assert tokens.asked == []

    def test_the_cluster_is_reached_once_for_many_sign_ins(self, login, tokens, challenge, monkeypatch):
        reached = []
        monkeypatch.setattr(Over, "connect", lambda _: reached.append(tokens) or tokens)
        both = login(account="kim")

        for _ in range(2):
            both.verify_credentials(both.get_caller_identity(challenge), challenge)

        assert reached == [tokens]

    def test_a_token_comes_alone(self, identity, credentials, challenge):
        fields = credentials.fields

        for other in ({}, fields | {"more": "x"}, {"more": fields["token"]}):
            with pytest.raises(NotSignedIn):
                identity.verify_credentials(Credentials(provider="kind", fields=other), challenge)

    def test_a_token_for_no_server_is_refused(self, identity, tokens, challenge):
        nowhere = attrs.evolve(challenge, audience="")
        kind, body = _request(nowhere)
        made = tokens.create(kind, {"spec": body["spec"] | {"expirationSeconds": LASTS}})["status"]["token"]

        with pytest.raises(NotSignedIn):
            identity.verify_credentials(Credentials(provider="kind", fields={"token": made}), nowhere)

    def test_without_an_audience_nothing_is_made(self, client, tokens, challenge):
        with pytest.raises(InvalidRequest):
            client.get_caller_identity(attrs.evolve(challenge, audience=""))
        assert tokens.asked == []

    def test_an_account_that_is_not_there_says_how_to_look(self, login, challenge):
        with pytest.raises(NotSignedIn, match="service account pat") as raised:
            login(account="pat").get_caller_identity(challenge)
        assert raised.value.hint == "See whether you get one by hand: kubectl create token pat -n gpudev-people"

    def test_a_cluster_that_does_not_answer_is_not_a_no(self, identity, credentials, challenge, tokens):
        tokens.away = True
        with pytest.raises(TryLater):
            identity.verify_credentials(credentials, challenge)

    def test_audiences_that_are_put_together_alike_differ(self, challenge):
        one = audience(attrs.evolve(challenge, audience="a", nonce="bc"))

        assert one != audience(attrs.evolve(challenge, audience="ab", nonce="c"))
        assert one.startswith("gpudev-login:")


def _request(challenge):
    from gpudev_sdk.kube.kinds import Kind

    spec = {"audiences": [audience(challenge)], "expirationSeconds": 3600}
    return Kind("TokenRequest", "v1", "serviceaccounts/kim/token"), {"spec": spec}
