"""What may be said of the login `aws`: by the operator all of it, by a person their region and profile."""

from __future__ import annotations

import re
from typing import Any

import attrs

from gpudev_aws.partitions import is_region

_ACCOUNT = re.compile(r"[0-9]{12}\Z")
#: A name of IAM, or how names begin, with one * at the end: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_PATTERN = re.compile(r"(?=.)[A-Za-z0-9+=,.@_-]{0,128}\*?\Z")
#: A name in ~/.aws/config; empty is the default one.
_PROFILE = re.compile(r"[^\s\[\]][^\r\n\[\]]{0,127}\Z|\Z")
#: Pieces of a login are no secret keys, and still nothing to send in the clear.
_ENDPOINT = re.compile(r"(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:(?P<port>[0-9]{1,5}))?\Z|\Z")


def _region(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        _regions(instance, attribute, [value])


def _regions(instance: object, attribute: attrs.Attribute[Any], value: list[str]) -> None:
    for name in value:
        if not is_region(name):
            raise ValueError(f"{attribute.name}: {name[:80]!r} is not a region whose STS we know, such as us-east-1")


def _accounts(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for account in value:
        if not _ACCOUNT.match(account):
            raise ValueError(f"accounts: {account[:80]!r} is not the 12 digits of an account")


def _patterns(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for pattern in value:
        if not _PATTERN.match(pattern):
            raise ValueError(
                f"{attribute.name}: {pattern[:80]!r} is neither a name nor how one begins with * at the end"
            )


def _profile(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not _PROFILE.match(value):
        raise ValueError(f"profile: {value[:80]!r} is not the name of a profile")


def _endpoint(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    match = _ENDPOINT.match(value)
    if match is None or not 0 < int(match["port"] or 443) < 65536:
        raise ValueError(f"endpoint: {value[:80]!r} is not https://HOST[:PORT]")


def matches(name: str, patterns: list[str]) -> bool:
    """Say whether a name is one of those named, or begins as one of them does that ends with *."""
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in patterns)


@attrs.frozen(kw_only=True)
class AwsLoginSettings:
    """What `[logins.NAME.aws]` may say; on a person's own machine, `region` and `profile` are all that is used."""

    #: The region whose STS is asked; on a person's machine, empty is their profile's.
    region: str = attrs.field(default="", validator=_region)
    #: A profile of the AWS CLI to sign with; empty finds credentials as the CLI does.
    profile: str = attrs.field(default="", validator=_profile)
    #: Whose people may come at all; one of another account is nobody, whatever their role is called.
    accounts: list[str] = attrs.field(factory=list, validator=_accounts)
    #: Roles whose holders may come: names, or how they begin and * (`AWSReservedSSO_Research_*`).
    roles: list[str] = attrs.field(factory=list, validator=_patterns)
    #: Those of them whose session name names a person, as IAM Identity Center sets it. All who have another role are one to us.
    session_names: list[str] = attrs.field(factory=list, validator=_patterns)
    #: IAM users who may come.
    users: list[str] = attrs.field(factory=list, validator=_patterns)
    #: Names that GetFederationToken was given: whoever may call it chooses them.
    federated_users: list[str] = attrs.field(factory=list, validator=_patterns)
    #: Regions whose STS people may have signed for; empty is `region` alone.
    regions: list[str] = attrs.field(factory=list, validator=_regions)
    #: Where the server asks, if not at the region's own STS: a private endpoint. The request stays one to that STS.
    endpoint: str = attrs.field(default="", validator=_endpoint)

    def __attrs_post_init__(self) -> None:
        said = self.roles + self.session_names + self.users + self.federated_users + self.regions
        if (said or self.endpoint) and not self.accounts:
            raise ValueError("accounts: without the accounts whose people may come, everybody on AWS would be asked in")
        if self.accounts and not (self.roles or self.users or self.federated_users):
            raise ValueError("roles: name the roles (or users) of these accounts that may come")
        if self.accounts and not self.allowed_regions:
            raise ValueError("region: name the region whose STS is asked")

    @property
    def allowed_regions(self) -> list[str]:
        """Return the regions for which a login may be signed."""
        return self.regions or ([self.region] if self.region else [])


def first_allowed(settings: AwsLoginSettings) -> str:
    """Return a region for words to people."""
    return (settings.allowed_regions or ["us-east-1"])[0]
