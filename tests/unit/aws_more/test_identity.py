"""The login by STS: its laws over an STS that verifies signatures for real, and the attacks that it must stand."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import logging
import secrets

import attrs
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from gpudev_aws import signing
from gpudev_aws import sts as sts_module
from gpudev_aws.identity import NO, AwsIdentity
from gpudev_sdk.domain.user import Challenge, Credentials
from gpudev_sdk.errors import ConfigError, InvalidRequest, NotSignedIn, TryLater
from gpudev_sdk.testing import IdentityContract
from tests.unit.aws_more.conftest import SECRET, TOKEN, role_arn
from tests.unit.aws_more.fake_sts import ACCOUNT, ROLE_ID, USER_ID, FakeSts, Key

KIM = f"{ACCOUNT}/{ROLE_ID}/kim@lab.example"


@pytest.fixture
def challenge():
    return Challenge(
        nonce=secrets.token_urlsafe(72),
        expires_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1),
        audience="https://gpudev.example:7070",
    )


class TestLaws(IdentityContract):
    @pytest.fixture
    def identity(self, server):
        return server()

    @pytest.fixture
    def client(self, person):
        return person()

    @pytest.fixture
    def secret(self):
        return SECRET


class TestLawsOfAUserWithoutToken(IdentityContract):
    @pytest.fixture
    def identity(self, server):
        return server()

    @pytest.fixture
    def client(self, lee):
        return lee

    @pytest.fixture
    def secret(self):
        return SECRET[::-1]


def test_the_server_sends_one_request_that_is_made_here(server, person, sts, challenge):
    fields = person().get_caller_identity(challenge).fields
    identity = server().verify_credentials(Credentials(provider="aws", fields=fields), challenge)

    (asked,) = sts.asked
    assert (asked.path, asked.body) == ("/", b"Action=GetCallerIdentity&Version=2011-06-15")
    assert asked.headers["host"] == "sts.us-east-1.amazonaws.com"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["x-gpudev-audience"] == challenge.audience
    assert asked.headers["x-gpudev-challenge"] == challenge.nonce
    assert asked.headers["accept-encoding"] == "identity"
    assert (identity.subject, identity.display) == (KIM, "kim@lab.example")


def test_only_pieces_are_presented_and_no_key_is_in_them_or_in_a_log(server, person, sts, challenge, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "httpx2", "httpcore2", "asyncio", "gpudev"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    shown = person().get_caller_identity(challenge)
    server().verify_credentials(shown, challenge)

    assert sorted(shown.fields) == ["date", "key_id", "region", "signature", "signed_headers", "token"]
    written = caplog.text + "".join(str(vars(record)) for record in caplog.records) + repr(shown)
    written += repr(signing.Pieces.read(shown.fields))
    assert SECRET not in written + json.dumps(shown.fields)
    assert TOKEN not in written
    assert shown.fields["signature"] not in written


def _signed(challenge, *, body=signing.BODY, url="https://sts.us-east-1.amazonaws.com/", leave=(), more=None):
    """Sign as somebody does who does not use our client, and say the pieces."""
    date = dt.datetime.now(dt.UTC).strftime(signing.STAMP)
    headers = signing.headers("us-east-1", date, TOKEN, challenge) | (more or {})
    headers = {name: value for name, value in headers.items() if name not in leave}
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    request.context["timestamp"] = date
    signer = SigV4Auth(Keys("unused", SECRET), "sts", "us-east-1")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    fields = {"region": "us-east-1", "date": date, "key_id": "ASIAKIMKIMKIMKIMKIM1", "signature": signature}
    fields |= {"signed_headers": signing.names(headers), "token": TOKEN}
    return Credentials(provider="aws", fields=fields)


def test_what_is_signed_by_hand_in_the_same_way_is_the_same(server, challenge):
    assert server().verify_credentials(_signed(challenge), challenge).subject == KIM


@pytest.mark.parametrize("name", ["x-gpudev-audience", "x-gpudev-challenge", "accept", "x-amz-date", "host"])
def test_a_header_that_is_not_signed_is_refused_and_not_asked_about(server, sts, challenge, name):
    signed = _signed(challenge, leave=[name])
    signed.fields["signed_headers"] = ";".join(
        each for each in signed.fields["signed_headers"].split(";") if each != name
    )

    with pytest.raises(NotSignedIn):
        server().verify_credentials(signed, challenge)
    assert sts.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"Action=GetSessionToken&Version=2011-06-15"},
        {"url": "https://sts.us-east-1.amazonaws.com/?Action=GetSessionToken"},
        {"url": "https://sts.eu-west-1.amazonaws.com/", "leave": ["host"]},
        {"url": "https://sts.amazonaws.com/", "leave": ["host"]},
        {"more": {"x-gpudev-audience": "https://elsewhere.example:7070"}},
        {"more": {"x-gpudev-challenge": "another"}},
        {"more": {"accept": "application/xml"}},
    ],
)
def test_a_signature_of_another_request_is_refused(server, challenge, changes):
    signed = _signed(challenge, **changes)
    signed.fields["signed_headers"] = signing.names(signing.headers("us-east-1", "", TOKEN, challenge))

    with pytest.raises(NotSignedIn):
        server().verify_credentials(signed, challenge)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", "us-east-1.evil.example/"),
        ("region", "us-east-1\r\nHost: evil"),
        ("region", "us-east-1\n"),
        ("region", "evil.example#"),
        ("region", "us-west-2"),
        ("region", "us-east-1@evil"),
        ("date", "20260101T000000Z\r\nX: y"),
        ("date", "20269999T000000Z"),
        ("key_id", "ASIAKIMKIMKIMKIMKIM1\r\nX-Evil: 1"),
        ("key_id", "ASIAKIMKIMKIMKIMKIM1/20260101/us-east-1/iam"),
        ("signature", "0" * 64 + "\n"),
        ("signature", "0" * 64 + ", SignedHeaders=host"),
        ("signature", "F" * 64),
        ("token", TOKEN + "\r\nX-Evil: 1"),
        ("token", "a b" * 10),
        ("token", ""),
        ("signed_headers", "host"),
        ("signed_headers", "host\r\n"),
        ("url", "https://evil.example/"),
        ("body", "Action=GetSessionToken"),
        ("host", "evil.example"),
    ],
)
def test_a_value_that_is_not_of_its_grammar_never_leaves_the_server(server, person, sts, challenge, name, value):
    fields = person().get_caller_identity(challenge).fields | {name: value}

    with pytest.raises(NotSignedIn, match=NO):
        server().verify_credentials(Credentials(provider="aws", fields=fields), challenge)
    assert sts.asked == []


@pytest.mark.parametrize(
    ("seconds", "good"), [(-29, True), (-31, False), (0, True), (89, True), (91, False), (3600, False)]
)
def test_a_signature_is_a_minute_old_at_most_and_clocks_may_differ_by_half_a_minute(
    server, person, sts, challenge, monkeypatch, seconds, good
):
    shown = person().get_caller_identity(challenge)
    signed_at = dt.datetime.strptime(shown.fields["date"], signing.STAMP).replace(tzinfo=dt.UTC)
    monkeypatch.setattr(AwsIdentity, "now", lambda self: signed_at + dt.timedelta(seconds=seconds))

    if good:
        assert server().verify_credentials(shown, challenge).subject == KIM
    else:
        with pytest.raises(NotSignedIn):
            server().verify_credentials(shown, challenge)
        assert sts.asked == []


def test_a_region_is_read_by_its_grammar_before_anything_is_made_of_it(person, challenge):
    fields = person().get_caller_identity(challenge).fields

    assert signing.Pieces.read(fields).fields() == fields
    regions = ("us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1")
    for region in ("evil.example", "us-east-1/", "US-EAST-1", "zz-east-1", "", *(f"{each}\n" for each in regions)):
        assert signing.Pieces.read(fields | {"region": region}) is None


def test_a_server_that_relays_gets_what_no_other_one_takes(server, person, challenge):
    """The client signs for the origin it dialled: the hostile one."""
    dialled = attrs.evolve(challenge, audience="https://hostile.example:443")
    shown = person().get_caller_identity(dialled)

    with pytest.raises(NotSignedIn):
        server().verify_credentials(shown, challenge)


@pytest.mark.parametrize(
    ("audience", "nonce"), [("", "n"), ("a\r\nX: y", "n"), ("a b", "n"), ("a", ""), ("a", "n\n"), ("ä", "n")]
)
def test_a_challenge_that_is_no_header_is_neither_signed_nor_taken(server, person, sts, challenge, audience, nonce):
    shown = person().get_caller_identity(challenge)
    bad = attrs.evolve(challenge, audience=audience, nonce=nonce)

    with pytest.raises(InvalidRequest):
        person().get_caller_identity(bad)
    with pytest.raises(NotSignedIn):
        server().verify_credentials(shown, bad)
    assert sts.asked == []


def test_without_accounts_nobody_is_asked_in(context, person, sts, challenge):
    shown = person().get_caller_identity(challenge)

    with pytest.raises(ConfigError, match="names no account"):
        AwsIdentity(attrs.evolve(person()._settings), context).verify_credentials(shown, challenge)
    assert sts.asked == []


class TestWhatStsAnswers:
    """None of this is a yes; only STS's own word is a no."""

    @pytest.fixture
    def shown(self, person, challenge):
        return person().get_caller_identity(challenge)

    @pytest.mark.parametrize(
        "bend",
        [
            lambda answer: (302, {"Location": "http://127.0.0.1:1/", "Content-Type": "application/json"}, answer[2]),
            lambda answer: (307, {"Location": "http://127.0.0.1:1/"}, b""),
            lambda answer: (200, {"Content-Type": "text/html"}, b"<html>" + answer[2]),
            lambda answer: (200, {"Content-Type": "text/html"}, answer[2]),
            lambda answer: (403, {"Content-Type": "text/html"}, b"<html>a proxy"),
            lambda answer: (206, answer[1], answer[2]),
            lambda answer: (200, answer[1], answer[2] + b" " * 66_000),
            lambda answer: (403, {"Content-Type": "application/json"}, b"[]"),
            lambda answer: (403, {"Content-Type": "application/json"}, b'{"Error": {"Code": "\xe4"}}'),
            lambda answer: (403, {"Content-Type": "application/json"}, b'{"a": ' + b"[" * 60_000),
            lambda answer: (200, answer[1], b" " * (10 * 2**20)),
            lambda answer: (200, answer[1] | {"Content-Length": "70000"}, answer[2] + b" " * 66000),
            lambda answer: (500, answer[1], b'{"Error": {"Code": "InternalFailure"}}'),
            lambda answer: (400, answer[1], b'{"Error": {"Code": "Throttling"}}'),
            lambda answer: (429, answer[1], b'{"Error": {"Code": "Other"}}'),
            lambda answer: (200, answer[1] | {"Content-Length": "9999"}, answer[2]),
        ],
    )
    def test_what_is_not_its_own_word_is_neither_yes_nor_no(self, server, sts, shown, challenge, bend):
        sts.bend = bend

        with pytest.raises(TryLater) as raised:
            server().verify_credentials(shown, challenge)
        assert raised.value.hint
        assert len(sts.asked) == 1

    def test_what_comes_packed_is_not_unpacked(self, server, sts, shown, challenge):
        sts.bend = lambda answer: (200, answer[1] | {"Content-Encoding": "gzip"}, gzip.compress(answer[2]))

        with pytest.raises(NotSignedIn, match=NO):
            server().verify_credentials(shown, challenge)
        assert sts.asked[0].headers["accept-encoding"] == "identity"

    def test_how_its_form_is_written_is_its_own(self, server, sts, shown, challenge):
        sts.bend = lambda answer: (200, {"Content-Type": "Application/JSON ; charset=utf-8"}, answer[2])

        assert server().verify_credentials(shown, challenge).subject == KIM

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, server, sts, shown, challenge, status):
        """It would take the signed pieces to whom it names."""
        sts.bend = lambda answer: (status, answer[1] | {"Location": f"{sts.address}/elsewhere"}, answer[2])

        with pytest.raises(TryLater):
            server().verify_credentials(shown, challenge)
        assert [asked.path for asked in sts.asked] == ["/"]

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b"null",
            b'{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {}}}',
            b'{"GetSessionTokenResponse": {"GetSessionTokenResult": {}}}',
            b'{"Account": "123456789012", "Arn": "a", "UserId": "b"}',
            b"not json",
        ],
    )
    def test_another_answer_is_nobody(self, server, sts, shown, challenge, body):
        sts.bend = lambda answer: (200, answer[1], body)

        with pytest.raises(NotSignedIn, match=NO):
            server().verify_credentials(shown, challenge)

    @pytest.mark.parametrize("drip", [0.05, 30.0])
    def test_an_answer_that_drips_is_cut_off(self, server, sts, shown, challenge, monkeypatch, drip):
        sts.drip = drip
        monkeypatch.setattr(sts_module, "SECONDS", 0.3)

        with pytest.raises(TryLater, match="no answer in"):
            server().verify_credentials(shown, challenge)

    def test_an_sts_whose_certificate_nobody_vouches_for_is_told_nothing(self, server, sts, shown, challenge, tls):
        with pytest.raises(TryLater, match="ConnectError"):
            server(endpoint=tls(sts)).verify_credentials(shown, challenge)
        assert sts.asked == []

    def test_the_environment_vouches_for_nobody(self, server, sts, shown, challenge, tls, monkeypatch, tmp_path):
        address = tls(sts)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))

        with pytest.raises(TryLater, match="ConnectError"):
            server(endpoint=address).verify_credentials(shown, challenge)
        assert sts.asked == []

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_no_proxy_of_the_environment_is_told(self, server, sts, shown, challenge, monkeypatch, name):
        other = FakeSts()
        monkeypatch.setenv(name, other.address)

        try:
            assert server().verify_credentials(shown, challenge).subject == KIM
        finally:
            other.close()
        assert other.asked == []

    def test_an_sts_that_is_not_there_is_not_a_no(self, server, sts, shown, challenge):
        gone = server(endpoint="http://127.0.0.1:1")

        with pytest.raises(TryLater, match="cannot say who you are now"):
            gone.verify_credentials(shown, challenge)


@pytest.mark.parametrize(
    ("region", "host", "partition"),
    [
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn", "aws-cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com", "aws-us-gov"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu", "aws-eusc"),
        ("ap-southeast-2", "sts.ap-southeast-2.amazonaws.com", "aws"),
    ],
)
def test_each_partition_has_hosts_and_names_of_its_own(server, person, sts, challenge, region, host, partition):
    user_id = f"{ROLE_ID}:kim@lab.example"
    sts.keys["ASIAKIMKIMKIMKIMKIM1"] = Key(SECRET, role_arn(partition=partition), user_id, TOKEN)
    login, shown = server(region=region), person(region=region).get_caller_identity(challenge)

    assert login.verify_credentials(shown, challenge).subject == KIM
    assert sts.asked[0].headers["host"] == host
    sts.keys["ASIAKIMKIMKIMKIMKIM1"] = Key(SECRET, role_arn(partition="aws-iso"), user_id, TOKEN)
    with pytest.raises(NotSignedIn):
        login.verify_credentials(shown, challenge)


def test_a_region_is_taken_if_the_operator_named_it(server, person, challenge):
    shown = person(region="eu-west-1").get_caller_identity(challenge)

    assert server(regions=["us-east-1", "eu-west-1"]).verify_credentials(shown, challenge).subject == KIM
    with pytest.raises(NotSignedIn) as raised:
        server().verify_credentials(shown, challenge)
    assert "aws sts get-caller-identity --region us-east-1" in raised.value.hint


def test_only_the_region_is_told_to_clients(server):
    assert AwsIdentity.public == ("region",)


def test_an_iam_user_is_known_by_an_id_that_is_never_given_again(server, lee, challenge):
    found = server().verify_credentials(lee.get_caller_identity(challenge), challenge)

    assert (found.subject, found.display) == (f"{ACCOUNT}/{USER_ID}", "lee")
