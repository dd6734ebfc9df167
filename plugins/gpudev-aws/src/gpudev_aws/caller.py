"""Who STS says that somebody is, and whether they may come. Pure.

Names of callers: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
Ids are never given again: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import re

import attrs
import msgspec

from gpudev_aws.login_settings import AwsLoginSettings, matches
from gpudev_sdk.domain.user import Identity

_ARN = re.compile(r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>[0-9]+):(?P<what>.+)\Z")
#: Those of IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html , API_AssumeRole of STS for sessions.
_NAME = r"[A-Za-z0-9_+=,.@-]{1,64}"
_ROLE = re.compile(rf"assumed-role/(?P<role>{_NAME})/(?P<session>{_NAME})\Z")
_USER = re.compile(rf"user/(?:[!-~]*/)?(?P<user>{_NAME})\Z")
_FEDERATED = re.compile(rf"federated-user/(?P<user>{_NAME})\Z")
#: Those of today have 21 letters; subjects of ours have room for 64.
_ROLE_ID, _USER_ID = re.compile(r"AROA[A-Z0-9]{12,60}\Z"), re.compile(r"AIDA[A-Z0-9]{12,60}\Z")


class _Result(msgspec.Struct, frozen=True):
    Account: str
    Arn: str
    UserId: str


class _Response(msgspec.Struct, frozen=True):
    GetCallerIdentityResult: _Result


class _Answer(msgspec.Struct, frozen=True):
    GetCallerIdentityResponse: _Response


@attrs.frozen(kw_only=True)
class Caller:
    """Who a request was signed by, as STS knows them."""

    partition: str
    account: str
    arn: str
    user_id: str

    @classmethod
    def read(cls, body: bytes) -> Caller | None:
        """Read an answer of GetCallerIdentity; None for anything else, and for one whose parts do not agree."""
        try:
            result = msgspec.json.decode(body, type=_Answer).GetCallerIdentityResponse.GetCallerIdentityResult
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        match = _ARN.match(result.Arn)
        if match is None or match["account"] != result.Account:
            return None
        return cls(partition=match["partition"], account=result.Account, arn=result.Arn, user_id=result.UserId)


def admit(settings: AwsLoginSettings, partition: str, caller: Caller) -> Identity | None:
    """Return who a caller is to us, or None if they may not come: another account, a role that is not named, root."""
    if caller.partition != partition or caller.account not in settings.accounts:
        return None
    service, what = caller.arn.split(":", 5)[2], caller.arn.split(":", 5)[5]
    if service == "iam":
        return _user(settings, caller, what)
    return _role(settings, caller, what) or _federated(settings, caller, what)


def _role(settings: AwsLoginSettings, caller: Caller, what: str) -> Identity | None:
    """A session name is whatever the one who took the role said, unless the role is one that says who has it."""
    match = _ROLE.match(what)
    role_id, _, session = caller.user_id.partition(":")
    if match is None or not _ROLE_ID.match(role_id) or session != match["session"]:
        return None
    if not matches(match["role"], settings.roles):
        return None
    if matches(match["role"], settings.session_names):
        return Identity(subject=f"{caller.account}/{role_id}/{session}", display=session)
    return Identity(subject=f"{caller.account}/{role_id}", display=match["role"])


def _user(settings: AwsLoginSettings, caller: Caller, what: str) -> Identity | None:
    match = _USER.match(what)
    if match is None or not _USER_ID.match(caller.user_id) or not matches(match["user"], settings.users):
        return None
    return Identity(subject=f"{caller.account}/{caller.user_id}", display=match["user"])


def _federated(settings: AwsLoginSettings, caller: Caller, what: str) -> Identity | None:
    match = _FEDERATED.match(what)
    if match is None or not matches(match["user"], settings.federated_users):
        return None
    if caller.user_id != f"{caller.account}:{match['user']}":
        return None
    return Identity(subject=f"{caller.account}/federated/{match['user']}", display=match["user"])
