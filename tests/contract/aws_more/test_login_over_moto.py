"""The login over moto's STS: whom it says that somebody is, for a role that was really assumed.

moto checks no signatures and knows no JSON here; what does both is `tests/unit/aws_more/fake_sts.py`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import uuid

import boto3
import pytest

from gpudev_aws import sts
from gpudev_aws.identity import AwsIdentity
from gpudev_aws.login_settings import AwsLoginSettings
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import TryLater

CHALLENGE = Challenge(
    nonce="n" * 96, expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), audience="https://a.example:443"
)


@pytest.fixture
def kim(hand, monkeypatch):
    """A role, with the keys of Kim's session of it in the environment."""
    name = f"AWSReservedSSO_Research_{uuid.uuid4().hex[:16]}"
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = hand("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]
    keys = hand("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="kim@lab.example")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
    return role


@pytest.fixture
def login(moto, context):
    roles = ["AWSReservedSSO_Research_*"]
    return AwsIdentity(
        AwsLoginSettings(
            region="us-east-1", endpoint=moto, accounts=["123456789012"], roles=roles, session_names=roles
        ),
        context,
    )


def test_an_answer_in_xml_is_not_believed_whoever_it_names(login, kim, context):
    """What is asked for is JSON: of XML a part can be taken for the whole."""
    shown = AwsIdentity(AwsLoginSettings(region="us-east-1"), context).get_caller_identity(CHALLENGE)

    with pytest.raises(TryLater, match="in another form"):
        login.verify_credentials(shown, CHALLENGE)


def test_whom_moto_names_is_the_person_in_their_role(login, kim, context, moto, monkeypatch):
    named = boto3.client("sts", endpoint_url=moto, region_name="us-east-1")
    with contextlib.closing(named):
        answer = named.get_caller_identity()
    result = {name: answer[name] for name in ("Account", "Arn", "UserId")}
    body = json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}).encode()
    monkeypatch.setattr(sts, "who_signed", lambda url, headers: body)
    shown = AwsIdentity(AwsLoginSettings(region="us-east-1"), context).get_caller_identity(CHALLENGE)

    found = login.verify_credentials(shown, CHALLENGE)

    assert found.subject == f"123456789012/{kim['RoleId']}/kim@lab.example"
    assert found.display == "kim@lab.example"
