"""The login by Google's ID tokens: the laws over a real key, and what must not get in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
import time

import attrs
import pytest
import structlog
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gpudev_gcp import claims, id_tokens
from gpudev_gcp.identity import HINT, NO, GcpIdentity, audience
from gpudev_gcp.login_settings import GcpLoginSettings
from gpudev_sdk.domain.user import Credentials
from gpudev_sdk.errors import ConfigError, NotSignedIn
from gpudev_sdk.testing import IdentityContract
from tests.unit.gcp_more.google import ACCOUNT, encode, rsa_key

HOUR = 3600
NESTED = encode(b"[" * 9000)


def shown(token: str) -> Credentials:
    return Credentials(provider="gcp", fields={"token": token})


@pytest.fixture
def refused(server, challenge):
    """Return what asserts that a token is refused, in the same words as any other; only the log has the reason."""

    def refuse(token: str) -> None:
        with structlog.testing.capture_logs() as written, pytest.raises(NotSignedIn) as raised:
            server.verify_credentials(shown(token), challenge)
        assert (raised.value.message, raised.value.hint) == (NO, HINT)
        assert [entry["event"] for entry in written] == ["a login by Google was not accepted"]
        assert written[0]["reason"]

    return refuse


class TestLaws(IdentityContract):
    @pytest.fixture
    def identity(self, server):
        return server

    @pytest.fixture
    def client(self, login, google, monkeypatch):
        """Return a machine whose credentials are a service account's; only Google's making of the token is played."""

        def fetch(wanted, impersonate, iam):
            return google.token(self.asked, aud=wanted)

        monkeypatch.setattr(id_tokens, "fetch", fetch)
        return login(impersonate=ACCOUNT)

    @pytest.fixture(autouse=True)
    def signed_in(self, challenge):
        self.asked = challenge

    @pytest.fixture
    def secret(self):
        return f"{rsa_key(1).private_numbers().d:x}"

    def test_the_subject_is_googles_own_and_the_mail_only_shown(self, identity, google, challenge):
        seen = identity.verify_credentials(shown(google.token(challenge, sub="4711")), challenge)

        assert (seen.subject, seen.display) == ("4711", ACCOUNT)


def test_a_token_signed_by_nobody_is_refused(google, challenge, refused):
    head, body, _ = google.token(challenge, header={"alg": "none"}).split(".")

    refused(f"{head}.{body}.")
    refused(f"{head}.{body}.AA")
    refused(google.token(challenge, header={"alg": "none"}))


def test_a_public_key_is_no_secret_to_sign_with(google, challenge, refused):
    """The old trick: HS256, keyed by what everybody knows."""
    head, body, _ = google.token(challenge, header={"alg": "HS256"}).split(".")
    public = rsa_key(1).public_key()
    for known in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(google.key_set()).encode(),
    ):
        signature = hmac.new(known, f"{head}.{body}".encode(), hashlib.sha256).digest()
        refused(f"{head}.{body}.{encode(signature)}")


OTHER_HEADERS = [
    {"alg": "RS512"},
    {"alg": "ES256"},
    {"alg": None},
    {"kid": None},
    {"kid": ""},
    {"kid": ["first"]},
    {"kid": {"first": 1}},
    {"crit": ["exp"]},
]


@pytest.mark.parametrize("header", OTHER_HEADERS)
def test_a_token_signed_in_another_way_is_refused_before_a_key_is_fetched(google, challenge, refused, header):
    refused(google.token(challenge, header=header))

    assert google.fetches == 0


def test_a_key_that_is_not_googles_signs_nothing(google, challenge, refused):
    refused(google.token(challenge, key=rsa_key(2)))
    refused(google.token(challenge, key=rsa_key(2), header={"kid": "second"}))
    own = {"jwk": {"kty": "RSA"}, "jku": google.web.address, "x5u": google.web.address}
    refused(google.token(challenge, key=rsa_key(2), header=own))


WRONG = {
    "another issuer": {"iss": "https://accounts.google.com.evil.example"},
    "an issuer in plain http": {"iss": "http://accounts.google.com"},
    "a key of firebase": {"iss": "https://securetoken.google.com/people-of-lab"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://gpudev.example:7070"},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 4711},
    "a subject with a newline": {"sub": "4711\n"},
    "a subject that leaves a shell's quotes": {"sub": "47'11"},
    "a subject longer than we keep": {"sub": "1" * 161},
    "a mail that nobody verified": {"email_verified": False},
    "a word for verified": {"email_verified": "true"},
    "a number for verified": {"email_verified": 1},
    "no word of verified": {"email_verified": None},
    "no mail": {"email": None},
    "a person of no domain": {"email": "kim@gmail.com"},
    "a person of another domain": {"email": "kim@corp.example", "hd": "other.example"},
    "a domain that looks like ours": {"email": "kim@corp.example", "hd": "corp.example.evil.org"},
    "a domain that ends like ours": {"email": "kim@corp.example", "hd": "evilcorp.example"},
    "a domain in capitals": {"email": "kim@corp.example", "hd": "CORP.example"},
    "a domain that is a list": {"email": "kim@corp.example", "hd": ["corp.example"]},
    "an empty domain": {"email": ACCOUNT, "hd": ""},
    "another account of the project": {"email": "lee@people-of-lab.iam.gserviceaccount.com"},
    "an account that looks like ours": {"email": ACCOUNT + ".evil.example"},
    "no times": {"iat": None},
    "no end": {"exp": None},
    "a word for an end": {"exp": "4102444800"},
    "a truth for a time": {"nbf": True},
    "a fraction for a time": {"nbf": 1.5},
    "no end that there is": {"exp": float("inf")},
    "a time of a thousand digits": {"exp": 10**1000},
    "a domain in letters that look alike": {"email": "kim@corp.example", "hd": "c\u043erp.example"},
    "a domain with a newline": {"email": "kim@corp.example", "hd": "corp.example\n"},
    "an account with a newline": {"email": ACCOUNT + "\n"},
    "an account in capitals": {"email": ACCOUNT.upper()},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_token_that_says_anything_else_is_refused(google, challenge, refused, wrong):
    refused(google.token(challenge, **wrong))


def test_a_token_for_no_server_is_refused(google, server, challenge):
    nowhere = attrs.evolve(challenge, audience="")

    with pytest.raises(NotSignedIn):
        server.verify_credentials(shown(google.token(nowhere)), nowhere)


def test_a_token_comes_alone(google, server, challenge):
    fields = shown(google.token(challenge)).fields

    for other in ({}, fields | {"more": "x"}, {"more": fields["token"]}):
        with pytest.raises(NotSignedIn, match=NO):
            server.verify_credentials(Credentials(provider="gcp", fields=other), challenge)


def test_audiences_that_are_put_together_alike_differ(challenge):
    one = audience(attrs.evolve(challenge, audience="a", nonce="bc"))

    assert one != audience(attrs.evolve(challenge, audience="ab", nonce="c"))


def test_a_list_of_audiences_with_ours_in_it_is_refused(google, challenge, refused):
    refused(google.token(challenge, aud=[audience(challenge), "https://elsewhere.example"]))
    refused(google.token(challenge, aud=[audience(challenge)]))


@pytest.mark.parametrize(
    ("issued", "ends"),
    [(-HOUR - 120, -61), (90, HOUR), (0, HOUR + 90), (0, 0), (0, -30), (-20 * HOUR, 50)],
    ids=["expired", "of the future", "too long", "no time at all", "backwards", "for a day"],
)
def test_a_token_that_is_not_of_this_hour_is_refused(google, challenge, refused, issued, ends):
    now = int(time.time())

    refused(google.token(challenge, iat=now + issued, exp=now + ends))


def test_a_token_that_is_not_yet_to_be_used_is_refused(google, challenge, refused):
    now = int(time.time())

    refused(google.token(challenge, nbf=now + 90))
    refused(google.token(challenge, nbf=now, iat=now + 90))


@pytest.mark.parametrize("apart", [-45, 45])
def test_clocks_may_be_a_little_apart(google, server, challenge, apart):
    now = int(time.time()) + apart

    server.verify_credentials(shown(google.token(challenge, iat=now, nbf=now, exp=now + HOUR)), challenge)
    server.verify_credentials(shown(google.token(challenge, iat=now - HOUR, exp=int(time.time()) - 45)), challenge)


def test_a_subject_may_be_as_long_as_we_keep(google, server, challenge):
    assert server.verify_credentials(shown(google.token(challenge, sub="1" * 160)), challenge).subject == "1" * 160


def test_a_token_is_of_no_use_for_another_sign_in(google, server, challenge):
    """A replay meets another nonce; a server that passes it on, another audience."""
    token = shown(google.token(challenge))
    server.verify_credentials(token, challenge)

    for other in (
        attrs.evolve(challenge, nonce=secrets.token_urlsafe(72)),
        attrs.evolve(challenge, audience="https://evil.example:7070"),
        attrs.evolve(challenge, audience=""),
    ):
        with pytest.raises(NotSignedIn):
            server.verify_credentials(token, other)


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_both_names_of_google_are_taken(google, server, challenge, issuer):
    assert server.verify_credentials(shown(google.token(challenge, iss=issuer)), challenge).subject


def test_a_person_of_our_domain_is_let_in(google, server, challenge):
    token = google.token(challenge, email="kim@corp.example", hd="corp.example", sub="1")

    assert server.verify_credentials(shown(token), challenge).subject == "1"


def test_people_of_a_domain_are_let_in_without_any_account_being_named(google, login, challenge):
    token = google.token(challenge, email="kim@corp.example", hd="corp.example", sub="1")

    assert login(hosted_domains=["corp.example"]).verify_credentials(shown(token), challenge).subject == "1"


def test_all_accounts_of_a_project_and_of_no_other_are_let_in(google, login, challenge):
    server = login(service_accounts=["*@people-of-lab.iam.gserviceaccount.com"])
    server.verify_credentials(shown(google.token(challenge)), challenge)

    for other in (
        "kim@people-of-lab2.iam.gserviceaccount.com",
        "kim@x.people-of-lab.iam.gserviceaccount.com",
        "kim@people-of-lab.iam.gserviceaccount.com.evil.example",
        "a@b@people-of-lab.iam.gserviceaccount.com",
        "*@people-of-lab.iam.gserviceaccount.com",
    ):
        with pytest.raises(NotSignedIn):
            server.verify_credentials(shown(google.token(challenge, email=other)), challenge)


def test_an_account_with_a_domain_is_not_taken_for_one_of_the_list(google, login, challenge):
    server = login(service_accounts=[ACCOUNT])

    with pytest.raises(NotSignedIn):
        server.verify_credentials(shown(google.token(challenge, hd="corp.example")), challenge)


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c", "a.e30.c", "a.bnVsbA.c", "x" * 20000, "ä.b.c", "e30.e30.A", "W10.W10.AA", f"e30.{NESTED}.AA"],
    ids=lambda text: text[:20],
)
def test_what_is_no_token_is_refused_before_a_key_is_fetched(google, refused, text):
    refused(text)

    assert google.fetches == 0


def test_a_token_that_is_far_too_long_is_refused_before_a_key_is_fetched(google, challenge, refused):
    refused(google.token(challenge, more="x" * 20000))

    assert google.fetches == 0


def test_a_token_has_one_form(google, challenge, refused):
    """The last letter of base64 says less than it could: some others are read as the same bytes."""
    token = google.token(challenge)
    plain = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
    others = [token[:-1] + letter for letter in string.ascii_letters]
    same = [
        each for each in others if base64.urlsafe_b64decode(each.rpartition(".")[2] + "==") == plain and each != token
    ]

    assert same
    for each in same:
        refused(each)


def test_a_domain_that_is_no_word_is_a_fault_of_the_token(google, challenge):
    token = claims.read(google.token(challenge, hd=["corp.example"]))

    assert claims.fault(token.claims, audience(challenge), time.time()) == "no domain"


def test_a_server_that_names_nobody_lets_nobody_in(google, login, challenge):
    with pytest.raises(ConfigError, match="nobody who is let in"):
        login().verify_credentials(shown(google.token(challenge)), challenge)

    assert google.fetches == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"hosted_domains": ["Corp.example"]},
        {"hosted_domains": ["*.corp.example"]},
        {"hosted_domains": ["example"]},
        {"hosted_domains": ["corp.example\n"]},
        {"service_accounts": ["kim@corp.example"]},
        {"service_accounts": ["*"]},
        {"service_accounts": ["*@*.iam.gserviceaccount.com"]},
        {"service_accounts": ["*@developer.gserviceaccount.com"]},
        {"service_accounts": ["*@iam.gserviceaccount.com"]},
        {"service_accounts": [ACCOUNT + "\n"]},
        {"service_accounts": ["*@people-of-lab.iam.gserviceaccount.com\n"]},
        {"service_accounts": ["kim@.iam.gserviceaccount.com"]},
        {"service_accounts": ["*@people-of-lab.gserviceaccount.com"]},
        {"service_accounts": ["*@lab.iam.gserviceaccount.com"]},
        {"impersonate": ACCOUNT + "\n"},
        {"impersonate": "kim@lab/x?y.iam.gserviceaccount.com"},
        {"impersonate": "*@people-of-lab.iam.gserviceaccount.com"},
        {"impersonate": "kim"},
        {"impersonate": ACCOUNT + "/x"},
    ],
)
def test_a_setting_that_lets_in_more_than_it_says_is_refused(settings):
    with pytest.raises(ValueError, match="is not"):
        GcpLoginSettings(**settings)


def test_a_server_tells_a_client_nothing_of_its_settings():
    assert GcpIdentity.public == ()
