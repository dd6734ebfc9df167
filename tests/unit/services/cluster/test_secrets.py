"""What is read of a service's folder of secrets, and how what is wrong with it is said."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from psycopg.conninfo import conninfo_to_dict

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.store.dsn import login_of, quoted
from gpudev_services.cluster.certificates import shown
from gpudev_services.cluster.parts import host_authority
from gpudev_services.cluster.secrets import Secrets, private_text
from gpudev_services.tls import ensure_certificates


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path)


def put(secrets, name, content):
    (secrets.folder / name).write_bytes(content)


def pkcs8(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize("form", [private_text, pkcs8])
def test_a_key_may_have_either_form_and_is_the_same(secrets, form):
    key = Ed25519PrivateKey.generate()
    put(secrets, "host-ca", form(key))
    put(secrets, "gateway-key", private_text(key))

    assert secrets.public_line("host-ca") == secrets.public_line("gateway-key")
    assert host_authority(secrets).public_line == secrets.public_line("host-ca")


def test_a_certificate_of_a_mounted_key_is_signed_by_it(secrets):
    put(secrets, "host-ca", pkcs8(Ed25519PrivateKey.generate()))
    authority = host_authority(secrets)
    _, public = authority.new_host_key()

    assert authority.sign_host_key(public, 7).startswith("ssh-ed25519-cert-v01@openssh.com ")


@pytest.mark.parametrize(
    "content",
    [
        pkcs8(ec.generate_private_key(ec.SECP256R1())),
        pkcs8(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
        b"",
        b"\xff\xfe",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ],
    ids=["another kind", "a passphrase", "nothing", "noise", "damaged"],
)
def test_what_is_no_usable_key_is_refused_by_its_files_name(secrets, content):
    put(secrets, "host-ca", content)

    with pytest.raises(ConfigError, match=r"/host-ca is no ") as caught:
        secrets.key("host-ca")
    assert "ssh-keygen" in caught.value.hint


@pytest.mark.parametrize("length", [32, 48])
def test_a_nonce_secret_is_the_same_in_base64_and_as_it_is(secrets, length):
    raw = bytes([255]) * length
    put(secrets, "nonce-secret", raw)
    plain = secrets.nonce_secret()
    put(secrets, "nonce-secret", base64.b64encode(raw) + b"\n")

    assert plain == secrets.nonce_secret() == raw


@pytest.mark.parametrize("content", [b"", b"\xff" * 31, base64.b64encode(b"\xff" * 8)])
def test_a_nonce_secret_that_is_too_short_is_refused(secrets, content):
    put(secrets, "nonce-secret", content)

    with pytest.raises(ConfigError, match="shorter than 32 bytes"):
        secrets.nonce_secret()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything; needs an ordinary user")
def test_a_file_that_may_not_be_read_is_said(secrets):
    put(secrets, "api-dsn", b"x")
    (secrets.folder / "api-dsn").chmod(0)

    with pytest.raises(ConfigError, match="cannot be read"):
        secrets.text("api-dsn")


def test_a_folder_in_a_files_place_is_said(secrets):
    (secrets.folder / "api-dsn").mkdir()

    with pytest.raises(ConfigError, match="api-dsn cannot be read") as caught:
        secrets.text("api-dsn")
    assert caught.value.hint


def test_a_password_file_goes_with_the_configurations_database(secrets):
    put(secrets, "api-password", b"it's \\ odd\n")

    login = login_of(secrets.dsn("api-dsn", "host=pg dbname=gpudev"))

    assert (login.user, login.password) == ("gpudev_api", "it's \\ odd")


def test_a_connection_string_goes_before_it(secrets):
    put(secrets, "api-password", b"one")
    put(secrets, "api-dsn", b"host=pg user=gpudev_api password=two\n")

    assert secrets.dsn("api-dsn", "host=other") == "host=pg user=gpudev_api password=two"


def test_without_either_the_missing_file_is_named(secrets):
    with pytest.raises(ConfigError, match="api-dsn is missing"):
        secrets.dsn("api-dsn", "host=pg")


@pytest.mark.parametrize(
    "text",
    [
        "host=pg user=kim password=s3cret dbname=x",
        "host=pg user = 'kim' password = 's3cret'",
        "postgresql://kim:s3cret@pg:5432/x?sslmode=verify-full",
        "postgres://pg/x?user=kim&password=s3cret",
    ],
)
def test_user_and_password_are_found_in_either_form(text):
    login = login_of(text)

    assert (login.user, login.password) == ("kim", "s3cret")
    assert "s3cret" not in repr(login)


@pytest.mark.parametrize("password", ["plain", "it's", "back\\slash", "a b=c", "'", "\\", "é%20"])
def test_a_quoted_value_is_read_back_as_it_was(password):
    text = f"host=pg user=kim password={quoted(password)}"

    assert login_of(text).password == conninfo_to_dict(text)["password"] == password


def test_a_percent_in_a_uri_is_unescaped():
    assert login_of("postgresql://kim:a%20b%40@pg/x").password == "a b@"


@pytest.mark.parametrize("text", ["", "host=pg dbname=x"])
def test_who_is_not_said_is_empty(text):
    assert login_of(text) == login_of("host=pg")


@pytest.mark.parametrize("text", ["just words", "host='open", "=x"])
def test_what_is_no_connection_string_is_refused_without_showing_it(text):
    with pytest.raises(ValueError, match="no connection string") as caught:
        login_of(text)
    assert text not in str(caught.value)


def test_a_certificate_and_its_authority_are_read_together(secrets, tmp_path):
    made = ensure_certificates(tmp_path / "tls", ["lab.example"])
    put(secrets, "tls.crt", made.certificate.read_bytes())
    put(secrets, "tls.key", made.key.read_bytes())
    assert shown(secrets, tmp_path / "made", []).certificates.pin == ""
    put(secrets, "ca.crt", made.ca_pem)

    assert shown(secrets, tmp_path / "made", []).certificates.pin == made.pin


def test_no_certificate_at_all_is_lawful(secrets, tmp_path):
    assert shown(secrets, tmp_path / "made", []) is None
    put(secrets, "ca.crt", b"of whoever ends TLS in front of us")
    assert shown(secrets, tmp_path / "made", []) is None
