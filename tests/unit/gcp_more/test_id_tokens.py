"""How a person's machine gets its token: whose credentials, what is asked of Google, and what is never sent."""

from __future__ import annotations

import json

import attrs
import google.auth
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import compute_engine, exceptions, impersonated_credentials
from google.auth.credentials import AnonymousCredentials
from google.oauth2 import credentials as oauth2_credentials
from google.oauth2 import service_account

from gpudev_gcp import id_tokens
from gpudev_gcp.identity import audience
from gpudev_sdk.errors import InvalidRequest, NotSignedIn
from tests.unit.gcp_more.google import ACCOUNT, rsa_key
from tests.unit.gcp_more.web import Reply

METADATA = {"Metadata-Flavor": "Google"}
GENERATE = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken"


def test_who_may_impersonate_has_a_token_made_with_its_mail(machine, client, iam, google, challenge, server):
    machine(AnonymousCredentials())
    iam.answer = lambda asked: Reply.of({"token": google.token(challenge, aud=asked.json()["audience"])})

    made = client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert [(asked.verb, asked.target, asked.json()) for asked in iam.asked] == [
        ("POST", GENERATE, {"audience": audience(challenge), "includeEmail": True})
    ]
    assert server.verify_credentials(made, challenge).display == ACCOUNT


def test_who_may_not_is_told_the_role(machine, client, iam, challenge):
    machine(AnonymousCredentials())
    iam.answer = lambda asked: Reply.of({"error": {"code": 403, "message": "Permission denied"}}, 403)

    with pytest.raises(NotSignedIn, match="for you: Permission denied") as raised:
        client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert "roles/iam.serviceAccountOpenIdTokenCreator" in raised.value.hint


@pytest.mark.parametrize("plain", [{"error": {"message": "no " * 9000}}, {"more": "no " * 9000}], ids=["said", "other"])
def test_what_google_says_at_length_is_cut(machine, client, iam, challenge, plain):
    machine(AnonymousCredentials())
    iam.answer = lambda asked: Reply.of(plain, 403)

    with pytest.raises(NotSignedIn, match="no no no") as raised:
        client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert len(raised.value.message) < 300


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply(body=b'{"token": ' + b"9" * 5000 + b"}"),
        Reply(body=b"[" * 60_000),
        Reply.of([]),
        Reply.of({}),
        Reply.of({"token": "a.b"}),
        Reply.of({}, 500),
        Reply(status=302),
    ],
)
def test_an_answer_without_a_token_is_no_sign_in(machine, client, iam, challenge, reply):
    machine(AnonymousCredentials())
    iam.answer = lambda asked: reply

    with pytest.raises(NotSignedIn):
        client(impersonate=ACCOUNT).get_caller_identity(challenge)


def test_a_person_s_token_goes_to_no_other_address(machine, client, iam, web, challenge):
    """The access token of who asks would go along with a redirect."""
    machine(AnonymousCredentials())
    iam.answer = lambda asked: Reply(status=307, headers={"Location": web.address + "/"})

    with pytest.raises(NotSignedIn):
        client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert web.asked == []


@pytest.mark.parametrize("aud", ["32555940559.apps.googleusercontent.com", "", None])
def test_a_token_for_anything_else_is_never_sent(machine, client, iam, google, challenge, aud):
    machine(AnonymousCredentials())
    iam.answer = lambda asked: Reply.of({"token": google.token(challenge, aud=aud)})

    with pytest.raises(NotSignedIn, match="not for this sign-in alone"):
        client(impersonate=ACCOUNT).get_caller_identity(challenge)


def test_a_person_s_own_credentials_are_told_what_they_need(machine, client, challenge):
    machine(oauth2_credentials.Credentials(token="access"))

    with pytest.raises(NotSignedIn, match="not a service account's") as raised:
        client().get_caller_identity(challenge)

    assert "--impersonate-service-account" in raised.value.hint


def test_a_person_s_file_of_credentials_is_read_without_a_word_of_warning(client, challenge, monkeypatch, tmp_path):
    """As `gcloud auth application-default login` writes it."""
    from google.auth import _cloud_sdk

    written = tmp_path / "credentials.json"
    told = {"type": "authorized_user", "client_id": _cloud_sdk.CLOUD_SDK_CLIENT_ID, "client_secret": "s"}
    written.write_text(json.dumps(told | {"refresh_token": "r"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(written))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "people-of-lab")

    with pytest.raises(NotSignedIn, match="not a service account's"):
        client().get_caller_identity(challenge)


def test_credentials_that_impersonate_already_need_no_setting(machine, client, iam, google, challenge, monkeypatch):
    """As `gcloud auth application-default login --impersonate-service-account=…` leaves them."""
    source = AnonymousCredentials()
    machine(impersonated_credentials.Credentials(source, ACCOUNT, ["https://www.googleapis.com/auth/cloud-platform"]))
    address = iam.address + "/v1/projects/-/serviceAccounts/{}:generateIdToken"
    monkeypatch.setattr("google.auth.iam._IAM_IDTOKEN_ENDPOINT", address)
    iam.answer = lambda asked: Reply.of({"token": google.token(challenge, aud=asked.json()["audience"])})

    made = client().get_caller_identity(challenge)

    assert set(made.fields) == {"token"}
    assert [(asked.target, asked.json()["includeEmail"]) for asked in iam.asked] == [(GENERATE, True)]


def test_a_service_account_s_key_signs_a_request_and_stays(
    machine, client, iam, google, challenge, monkeypatch, tmp_path
):
    pem = rsa_key(4).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    info = {"type": "service_account", "client_email": ACCOUNT, "private_key": pem, "private_key_id": "k"}
    key = tmp_path / "key.json"
    key.write_text(json.dumps(info | {"token_uri": iam.address + "/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    machine(service_account.Credentials.from_service_account_file(key))
    iam.answer = lambda asked: Reply.of({"id_token": google.token(challenge)})

    made = client().get_caller_identity(challenge)

    assert [asked.target for asked in iam.asked] == ["/token"]
    secret = f"{pem}".splitlines()[1].encode()
    assert secret not in iam.asked[0].body
    assert secret.decode() not in made.fields["token"]


def test_what_a_service_account_s_key_signed_goes_to_no_other_address(
    machine, client, iam, web, challenge, monkeypatch, tmp_path
):
    pem = rsa_key(4).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    info = {"type": "service_account", "client_email": ACCOUNT, "private_key": pem, "private_key_id": "k"}
    key = tmp_path / "key.json"
    key.write_text(json.dumps(info | {"token_uri": iam.address + "/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    machine(service_account.Credentials.from_service_account_file(key))
    iam.answer = lambda asked: Reply(status=307, headers={"Location": web.address + "/"})

    with pytest.raises(NotSignedIn):
        client().get_caller_identity(challenge)

    assert web.asked == []


def test_a_pod_asks_the_metadata_server_with_its_mail(machine, client, iam, google, challenge, monkeypatch):
    machine(compute_engine.Credentials())
    monkeypatch.setattr("google.auth.compute_engine._metadata.ping", lambda request: True)
    monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", iam.address.removeprefix("http://"))

    def answer(asked):
        if "/identity?" in asked.target:
            return Reply(body=google.token(challenge).encode(), headers=METADATA | {"Content-Type": "text/html"})
        return Reply.of({"email": ACCOUNT}, **METADATA)

    iam.answer = answer

    assert client().get_caller_identity(challenge).fields["token"]
    asked = [each.target for each in iam.asked if "/identity?" in each.target]
    assert len(asked) == 1
    assert "format=full" in asked[0]


def test_google_away_is_said_with_a_next_step(machine, client, challenge):
    class Broken(AnonymousCredentials):
        def before_request(self, *_):
            raise exceptions.RefreshError("Reauthentication is needed")

    machine(Broken())

    with pytest.raises(NotSignedIn, match="Reauthentication is needed") as raised:
        client(impersonate=ACCOUNT).get_caller_identity(challenge)

    assert raised.value.hint


@pytest.mark.parametrize(
    "error",
    [exceptions.RefreshError("gone" * 100), OSError("gone" * 100), ValueError("gone" * 100)],
    ids=lambda error: type(error).__name__,
)
def test_whatever_keeps_google_s_library_from_a_token_is_said(machine, client, challenge, monkeypatch, error):
    def fail(*_):
        raise error

    machine(impersonated_credentials.Credentials(AnonymousCredentials(), ACCOUNT, []))
    monkeypatch.setattr(impersonated_credentials.IDTokenCredentials, "refresh", fail)

    with pytest.raises(NotSignedIn, match="Google gave no ID token: gone") as raised:
        client().get_caller_identity(challenge)

    assert raised.value.hint
    assert len(raised.value.message) < 350


def test_credentials_that_cannot_be_read_are_said(client, challenge, monkeypatch):
    def fail(scopes=None):
        raise exceptions.RefreshError("gone")

    monkeypatch.setattr(google.auth, "default", fail)

    with pytest.raises(NotSignedIn, match="Google gave no ID token: gone"):
        client().get_caller_identity(challenge)


def test_nobody_where_google_should_be_is_said(machine, login, challenge):
    machine(AnonymousCredentials())
    there = login(impersonate=ACCOUNT)
    type(there).iam = "http://127.0.0.1:1"

    with pytest.raises(NotSignedIn, match="Google gave no ID token"):
        there.get_caller_identity(challenge)


def test_a_google_that_does_not_answer_is_not_waited_for(machine, client, iam, challenge, monkeypatch):
    monkeypatch.setattr(id_tokens, "_SECONDS", 0.2)
    machine(AnonymousCredentials())

    def pieces():
        iam.closing.wait(2.0)
        yield b""

    iam.answer = lambda asked: Reply(pieces=pieces())

    with pytest.raises(NotSignedIn, match="timed out"):
        client(impersonate=ACCOUNT).get_caller_identity(challenge)


def test_without_an_audience_nothing_is_asked(machine, client, iam, challenge):
    machine(AnonymousCredentials())

    with pytest.raises(InvalidRequest):
        client(impersonate=ACCOUNT).get_caller_identity(attrs.evolve(challenge, audience=""))

    assert iam.asked == []
