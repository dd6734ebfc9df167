"""Who may come: by account first, then by a name that was allowed, and known by an id that is never given again."""

from __future__ import annotations

import json

import pytest

from gpudev_aws.caller import Caller, admit
from gpudev_aws.login_settings import AwsLoginSettings, matches
from tests.unit.aws_more.conftest import SSO, role_arn
from tests.unit.aws_more.fake_sts import ACCOUNT, ROLE_ID, USER_ID

STRANGER = "999999999999"
SETTINGS = AwsLoginSettings(
    region="us-east-1",
    accounts=[ACCOUNT],
    roles=["AWSReservedSSO_Research_*", "Ci"],
    session_names=["AWSReservedSSO_*"],
    users=["lee"],
)


#: Whole, and in no letters that JSON has.
LATIN = b'{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "\xe4", "Arn": "a", "UserId": "b"}}}'


def caller(arn: str, user_id: str, account: str = ACCOUNT) -> Caller | None:
    result = {"Account": account, "Arn": arn, "UserId": user_id}
    return Caller.read(json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}).encode())


def admitted(arn, user_id, account=ACCOUNT, settings=SETTINGS):
    return admit(settings, "aws", caller(arn, user_id, account))


def iam(what: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{what}"


def test_a_role_that_says_who_has_it_is_a_person_for_each_session_name():
    found = admitted(role_arn(), f"{ROLE_ID}:kim@lab.example")

    assert (found.subject, found.display) == (f"{ACCOUNT}/{ROLE_ID}/kim@lab.example", "kim@lab.example")


def test_the_same_role_name_and_session_of_another_account_is_nobody():
    """Anybody on AWS can name a role as they like, and a session after a person."""
    assert admitted(role_arn(account=STRANGER), f"{ROLE_ID}:kim@lab.example", STRANGER) is None
    assert admitted(iam("user/lee", STRANGER), USER_ID, STRANGER) is None


def test_a_session_name_of_another_role_names_nobody():
    """Who takes the role chooses it."""
    found = admitted(role_arn("Ci", "kim@lab.example"), f"{ROLE_ID}:kim@lab.example")
    other = admitted(role_arn("Ci", "lee@lab.example"), f"{ROLE_ID}:lee@lab.example")

    assert (found.subject, found.display) == (f"{ACCOUNT}/{ROLE_ID}", "Ci")
    assert found == other


def test_a_role_made_anew_under_its_name_is_another_one():
    first = admitted(role_arn(), f"{ROLE_ID}:kim@lab.example")
    anew = admitted(role_arn(), "AROAANOTHERANOTHER123:kim@lab.example")

    assert first.subject != anew.subject


@pytest.mark.parametrize(
    ("arn", "user_id"),
    [
        (role_arn("Admin"), f"{ROLE_ID}:kim@lab.example"),
        (role_arn("AWSReservedSSO_Admin_0123456789abcdef"), f"{ROLE_ID}:kim@lab.example"),
        (role_arn("xAWSReservedSSO_Research_1"), f"{ROLE_ID}:kim@lab.example"),
        (role_arn("Ci2"), f"{ROLE_ID}:kim@lab.example"),
        (role_arn(), f"{ROLE_ID}:lee@lab.example"),
        (role_arn(), f"{USER_ID}:kim@lab.example"),
        (role_arn(), ROLE_ID),
        (role_arn(), f"{ROLE_ID}\n:kim@lab.example"),
        (role_arn(), f"{ROLE_ID}/x:kim@lab.example"),
        (role_arn(), "AROA:kim@lab.example"),
        (iam("user/lee"), USER_ID + "\n"),
        (iam("user/lee"), USER_ID + "/x"),
        (iam("user/lee"), "AIDA"),
        (role_arn(session="kim/more"), f"{ROLE_ID}:kim/more"),
        (role_arn(session="kim/more"), f"{ROLE_ID}:kim"),
        (role_arn(session="k" * 65), f"{ROLE_ID}:" + "k" * 64),
        (role_arn(f"path/{SSO}"), f"{ROLE_ID}:kim@lab.example"),
        (role_arn(SSO.lower()), f"{ROLE_ID}:kim@lab.example"),
        (iam("root"), ACCOUNT),
        (iam("user/kim"), USER_ID),
        (iam("user/lee"), ROLE_ID),
        (iam("user/lee"), ACCOUNT),
        (iam("user/lee/"), USER_ID),
        (iam("group/lee"), USER_ID),
        (iam(f"role/{SSO}"), ROLE_ID),
        (iam(f"assumed-role/{SSO}/kim"), f"{ROLE_ID}:kim"),
        (f"arn:aws:sts::{ACCOUNT}:user/lee", USER_ID),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/lee", f"{ACCOUNT}:lee"),
        (f"arn:aws:sts::{ACCOUNT}:self", ROLE_ID),
    ],
)
def test_who_is_not_named_does_not_come_in(arn, user_id):
    assert caller(arn, user_id) is not None
    assert admitted(arn, user_id) is None


def test_a_user_is_known_by_name_and_by_their_id():
    assert admitted(iam("user/lee"), USER_ID).subject == f"{ACCOUNT}/{USER_ID}"
    assert admitted(iam("user/division/lab/lee"), USER_ID).display == "lee"


def test_a_federated_user_comes_in_if_that_was_said_and_the_parts_agree():
    settings = AwsLoginSettings(region="us-east-1", accounts=[ACCOUNT], federated_users=["pat", "q*"])
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/pat"

    assert admitted(arn, f"{ACCOUNT}:pat", settings=settings).subject == f"{ACCOUNT}/federated/pat"
    assert admitted(arn, f"{ACCOUNT}:kim", settings=settings) is None
    assert admitted(arn, f"{STRANGER}:pat", settings=settings) is None
    assert admitted(arn + "/x", f"{ACCOUNT}:pat", settings=settings) is None
    assert admitted(arn[:-3] + "q" * 65, f"{ACCOUNT}:" + "q" * 64, settings=settings) is None


def test_another_partition_is_nobody():
    assert admit(SETTINGS, "aws-cn", caller(role_arn(), f"{ROLE_ID}:kim@lab.example")) is None
    assert admit(SETTINGS, "aws", caller(role_arn(partition="aws-cn"), f"{ROLE_ID}:kim@lab.example")) is None


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        (role_arn(), STRANGER),
        (role_arn(account=STRANGER), ACCOUNT),
        (role_arn() + "\n", ACCOUNT),
        (" " + role_arn(), ACCOUNT),
        (f"arn:aws:ec2::{ACCOUNT}:instance/i", ACCOUNT),
        (f"arn:aws:eks::{ACCOUNT}:assumed-role/{SSO}/kim@lab.example", ACCOUNT),
        (f"arn:aws:sts:us-east-1:{ACCOUNT}:assumed-role/{SSO}/kim", ACCOUNT),
        ("", ACCOUNT),
    ],
)
def test_an_answer_whose_parts_do_not_agree_is_none(arn, account):
    assert caller(arn, f"{ROLE_ID}:kim@lab.example", account) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"GetCallerIdentityResponse": 1}', b'{"a": NaN}', b"\xff", b'{"a": ' + b"[" * 60_000, LATIN],
    ids=lambda body: str(body[:20]),
)
def test_what_is_no_answer_is_none(body):
    assert Caller.read(body) is None


@pytest.mark.parametrize("account", [123456789012, None, ["123456789012"]])
def test_an_account_that_is_no_text_is_none(account):
    assert caller(role_arn(), f"{ROLE_ID}:kim@lab.example", account) is None


def test_a_pattern_is_a_name_or_a_beginning():
    assert matches("Research", ["Research"])
    assert matches("Research_1", ["Research_*"])
    assert matches("anything", ["*"])
    assert not matches("Research_1", ["Research"])
    assert not matches("research", ["Research"])
    assert not matches("xResearch_1", ["Research_*"])
    assert not matches("Research", [])


class TestSettings:
    def test_a_person_needs_none(self):
        assert AwsLoginSettings().allowed_regions == []

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"accounts": []}, "everybody on AWS"),
            ({"accounts": [], "roles": [], "endpoint": "https://sts.example"}, "everybody on AWS"),
            ({"roles": []}, "name the roles"),
            ({"region": ""}, "name the region"),
            ({"accounts": ["12345678901"]}, "12 digits"),
            ({"accounts": ["123456789012\n"]}, "12 digits"),
            ({"accounts": ["*"]}, "12 digits"),
            ({"roles": ["a*b"]}, "neither a name"),
            ({"roles": [""]}, "neither a name"),
            ({"roles": ["[ab]"]}, "neither a name"),
            ({"roles": ["arn:aws:iam::1:role/x"]}, "neither a name"),
            ({"session_names": ["**"]}, "neither a name"),
            ({"region": "us-east-1.evil.example"}, "not a region"),
            ({"region": "us-east-1\n"}, "not a region"),
            ({"regions": [""]}, "not a region"),
            ({"regions": ["us-iso-east-1"]}, "not a region"),
            ({"endpoint": "http://sts.example"}, "not https"),
            ({"endpoint": "https://sts.example/path"}, "not https"),
            ({"endpoint": "https://a@sts.example"}, "not https"),
            ({"endpoint": "https://sts.example\n"}, "not https"),
            ({"endpoint": "https://sts.example:65536"}, "not https"),
            ({"endpoint": "https://sts.example:0"}, "not https"),
            ({"profile": "a]\nb"}, "name of a profile"),
        ],
    )
    def test_what_would_let_in_too_many_or_mean_nothing_is_refused(self, changes, words):
        plain = {"region": "us-east-1", "accounts": [ACCOUNT], "roles": ["Ci"]}

        with pytest.raises(ValueError, match=words):
            AwsLoginSettings(**(plain | changes))

    def test_the_regions_are_the_region_unless_others_are_named(self):
        assert AwsLoginSettings(region="eu-west-1").allowed_regions == ["eu-west-1"]
        both = AwsLoginSettings(region="eu-west-1", regions=["us-east-1"], accounts=[ACCOUNT], users=["*"])
        assert both.allowed_regions == ["us-east-1"]
