"""A login on a small STS, and people with keys."""

from __future__ import annotations

import datetime as dt
import ipaddress
import pathlib
import ssl
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gpudev_aws.identity import AwsIdentity
from gpudev_aws.login_settings import AwsLoginSettings
from gpudev_sdk.providers import Context
from tests.unit.aws_more.fake_sts import ACCOUNT, ROLE_ID, USER_ID, FakeSts, Key

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE" + "Ab+/9=" * 40
SSO = "AWSReservedSSO_Research_0123456789abcdef"


def role_arn(name: str = SSO, session: str = "kim@lab.example", account: str = ACCOUNT, partition: str = "aws") -> str:
    return f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"


@pytest.fixture
def sts():
    made = FakeSts()
    made.keys["ASIAKIMKIMKIMKIMKIM1"] = Key(SECRET, role_arn(), f"{ROLE_ID}:kim@lab.example", TOKEN)
    made.keys["AKIALEELEELEELEELEE1"] = Key(SECRET[::-1], f"arn:aws:iam::{ACCOUNT}:user/lab/lee", USER_ID)
    yield made
    made.close()


@pytest.fixture
def context(tmp_path):
    return Context(install_id=uuid.UUID(int=7), name="aws", data_folder=tmp_path)


@pytest.fixture
def server(sts, context):
    """Return what makes the server's side."""

    def make(**changes):
        plain = {
            "region": "us-east-1",
            "endpoint": sts.address,
            "accounts": [ACCOUNT],
            "roles": ["AWSReservedSSO_Research_*"],
            "session_names": ["AWSReservedSSO_*"],
            "users": ["lee"],
        }
        return AwsIdentity(AwsLoginSettings(**(plain | changes)), context)

    return make


@pytest.fixture
def person(monkeypatch, context, tmp_path):
    """Return what makes a person's side, with a key of theirs in the environment and nothing else of AWS."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(pathlib.Path(tmp_path, name)))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def make(key_id="ASIAKIMKIMKIMKIMKIM1", secret=SECRET, token=TOKEN, **settings):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
        return AwsIdentity(AwsLoginSettings(**({"region": "us-east-1"} | settings)), context)

    return make


@pytest.fixture
def lee(person):
    return person("AKIALEELEELEELEELEE1", SECRET[::-1], "")


@pytest.fixture
def tls(tmp_path):
    """Return what has an STS speak TLS, with a certificate that it signed itself."""

    def speak(sts):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1))
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        signed = made.add_extension(addresses, critical=False).sign(key, hashes.SHA256())
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        both = key.private_bytes(serialization.Encoding.PEM, *plain)
        (tmp_path / "both.pem").write_bytes(both + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "both.pem")
        return sts.secure(context)

    return speak
