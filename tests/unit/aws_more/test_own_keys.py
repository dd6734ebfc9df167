"""The person's side: where credentials come from, and what is said when there are none."""

from __future__ import annotations

import datetime as dt

import pytest
from botocore.exceptions import ClientError

from gpudev_aws.identity import AwsIdentity
from gpudev_aws.login_settings import AwsLoginSettings
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.errors import NotSignedIn

CHALLENGE = Challenge(nonce="n", expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), audience="https://a.example:443")


@pytest.fixture
def nobody(person, monkeypatch, context):
    """A person without any key."""
    person()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    return lambda **settings: AwsIdentity(AwsLoginSettings(**settings), context)


def test_without_credentials_it_is_said_how_to_get_some(nobody):
    with pytest.raises(NotSignedIn, match="no credentials of AWS on this machine") as raised:
        nobody(region="us-east-1").get_caller_identity(CHALLENGE)
    assert raised.value.hint == "Sign in to AWS first: aws sso login (or aws configure)."


def test_a_profile_that_is_not_there_is_named(nobody):
    with pytest.raises(NotSignedIn, match="lab") as raised:
        nobody(region="us-east-1", profile="lab").get_caller_identity(CHALLENGE)
    assert "aws sso login --profile lab" in raised.value.hint


def test_a_role_of_a_profile_that_may_not_be_taken_is_said_in_a_line(nobody, monkeypatch):
    def fail(_):
        said = {"Error": {"Code": "AccessDenied", "Message": "you may not\n" + "at all " * 200}}
        raise ClientError(said, "AssumeRole")

    monkeypatch.setattr("botocore.session.Session.get_credentials", fail)

    with pytest.raises(NotSignedIn, match="AccessDenied") as raised:
        nobody(region="us-east-1").get_caller_identity(CHALLENGE)
    assert raised.value.message.endswith("you may not")


def test_what_botocore_says_at_length_is_cut(nobody, monkeypatch):
    def fail(_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no " * 200}}, "AssumeRole")

    monkeypatch.setattr("botocore.session.Session.get_credentials", fail)

    with pytest.raises(NotSignedIn) as raised:
        nobody(region="us-east-1").get_caller_identity(CHALLENGE)
    assert len(raised.value.message) < 250


def test_a_profile_has_its_own_keys_and_region(nobody, tmp_path):
    (tmp_path / "AWS_CONFIG_FILE").write_text("[profile lab]\nregion = eu-central-1\n")
    keys = "[lab]\naws_access_key_id = AKIALABLABLABLABLAB1\naws_secret_access_key = secret\n"
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(keys)

    fields = nobody(profile="lab").get_caller_identity(CHALLENGE).fields

    assert (fields["key_id"], fields["region"]) == ("AKIALABLABLABLABLAB1", "eu-central-1")
    assert "token" not in fields


def test_the_region_that_was_set_comes_before_the_profiles(person, monkeypatch):
    someone = person()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    assert someone.get_caller_identity(CHALLENGE).fields["region"] == "us-east-1"
    assert person(region="").get_caller_identity(CHALLENGE).fields["region"] == "eu-central-1"


@pytest.mark.parametrize("region", [None, "us-iso-east-1", "evil.example"])
def test_without_a_region_whose_sts_is_known_nothing_is_signed(person, monkeypatch, region):
    someone = person(region="")
    if region is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)

    with pytest.raises(NotSignedIn, match="which region") as raised:
        someone.get_caller_identity(CHALLENGE)
    assert "AWS_DEFAULT_REGION=us-east-1" in raised.value.hint
