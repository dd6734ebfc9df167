"""The login `aws`: a person signs a question to STS, "who am I?", for this one sign-in, and the server asks it.

No secret key leaves the person's machine. Audience and nonce are in signed headers, so a server that was signed in to cannot use
what it got at another one, nor a second time. The lessons of https://nvd.nist.gov/vuln/detail/CVE-2020-16250 : the request is
built here, never taken over, and only an answer in one form is believed.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from gpudev_aws import caller, signing, sts
from gpudev_aws.login_settings import AwsLoginSettings, first_allowed
from gpudev_aws.partitions import partition_of, sts_host
from gpudev_aws.signing import Pieces
from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import ConfigError, InvalidRequest, NotSignedIn
from gpudev_sdk.providers import Context, IdentityProvider

#: How old a signature may be, and how far two clocks may be apart.
OLDEST, SKEW = dt.timedelta(seconds=60), dt.timedelta(seconds=30)
NO = "the login was not accepted"
NO_REGION = "Name one: AWS_DEFAULT_REGION=us-east-1, or `region` of the profile in ~/.aws/config."


class AwsIdentity(IdentityProvider):
    """A person is a role's session, or an IAM user, of an account that the operator named."""

    Settings: ClassVar[type[AwsLoginSettings]] = AwsLoginSettings
    #: What a server may tell a client of its settings.
    public: ClassVar[tuple[str, ...]] = ("region",)

    def __init__(self, settings: AwsLoginSettings, context: Context) -> None:
        self._settings = settings

    def now(self) -> dt.datetime:
        """Return what time it is."""
        return dt.datetime.now(dt.UTC)

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        """Sign the question for this one sign-in; the key that signs stays here."""
        if not signing.is_lawful(challenge):
            raise InvalidRequest("a login has to be made for the server that was dialled", field="audience")
        region, keys = self._own()
        return Credentials(provider="aws", fields=signing.sign(keys, region, self.now(), challenge).fields())

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        """Ask STS the question that was signed, or raise NotSignedIn: in the same words whatever is wrong."""
        if not self._settings.accounts:
            hint = "Set `accounts` and `roles` in the login's table: docs/plugins/aws-login.md."
            raise ConfigError("this login names no account whose people may come", hint=hint)
        pieces = Pieces.read(credentials.fields)
        if pieces is None or not self._is_fresh(pieces) or pieces.region not in self._settings.allowed_regions:
            raise self._no()
        headers = signing.rebuild(pieces, challenge) if signing.is_lawful(challenge) else None
        if headers is None:
            raise self._no()
        url = self._settings.endpoint or f"https://{sts_host(pieces.region)}"
        answer = sts.who_signed(f"{url}/", headers)
        found = caller.Caller.read(answer) if answer is not None else None
        known = caller.admit(self._settings, partition_of(pieces.region).name, found) if found is not None else None
        if known is None:
            raise self._no()
        return known

    def _is_fresh(self, pieces: Pieces) -> bool:
        signed_at = pieces.signed_at
        return signed_at is not None and -SKEW <= self.now() - signed_at <= OLDEST + SKEW

    def _own(self) -> tuple[str, Any]:
        """Return the region to sign for, and this person's credentials, found as the AWS CLI finds them."""
        import botocore.exceptions
        import botocore.session

        profile = self._settings.profile or None
        try:
            session = botocore.session.Session(profile=profile)
            region = self._settings.region or session.get_config_variable("region") or ""
            found = session.get_credentials()
            keys = found.get_frozen_credentials() if found is not None else None
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise NotSignedIn(f"no credentials of AWS: {_first_line(error)}", hint=_renew(profile)) from error
        if keys is None:
            raise NotSignedIn("there are no credentials of AWS on this machine", hint=_renew(profile))
        try:
            partition_of(region)
        except ValueError as error:
            raise NotSignedIn("it is not known which region's STS to sign for", hint=NO_REGION) from error
        return region, keys

    def _no(self) -> NotSignedIn:
        region = first_allowed(self._settings)
        hint = f"See who you are (aws sts get-caller-identity --region {region}), and that your clock is right."
        return NotSignedIn(NO, hint=hint)


def _renew(profile: str | None) -> str:
    of = f" --profile {profile}" if profile else ""
    return f"Sign in to AWS first: aws sso login{of} (or aws configure{of})."


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
