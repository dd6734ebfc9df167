"""A login on a small STS, and people with keys."""

from __future__ import annotations

import pathlib
import uuid

import pytest

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
