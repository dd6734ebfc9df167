"""What `[logins.NAME.gcp]` may say."""

from __future__ import annotations

import re

import attrs

#: A domain of Google Workspace or Cloud Identity, as the claim `hd` has it.
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")
#: https://cloud.google.com/iam/docs/service-account-types : NAME@PROJECT.iam.gserviceaccount.com, and older ones.
_ACCOUNT = re.compile(r"[a-z0-9-]{1,63}@[a-z0-9][a-z0-9.-]{0,200}\.gserviceaccount\.com\Z")
#: All of one project; `*@developer.gserviceaccount.com` would be those of everybody.
_PROJECT = re.compile(r"\*@[a-z][a-z0-9-]{4,28}[a-z0-9](\.[a-z0-9.-]{1,100})?\.iam\.gserviceaccount\.com\Z")


def _domains(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for domain in value:
        if not _DOMAIN.match(domain):
            raise ValueError(f"{attribute.name}: {domain[:80]!r} is not a domain in lower case, such as corp.example")


def _accounts(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for account in value:
        if not _ACCOUNT.match(account) and not _PROJECT.match(account):
            like = "NAME@PROJECT.iam.gserviceaccount.com, or *@PROJECT.iam.gserviceaccount.com for all of a project"
            raise ValueError(f"{attribute.name}: {account[:80]!r} is not a service account such as {like}")


def _account(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and not _ACCOUNT.match(value):
        raise ValueError(f"{attribute.name}: {value[:80]!r} is not the e-mail of a service account")


@attrs.frozen(kw_only=True)
class GcpLoginSettings:
    """Who is let in, which the server says, and as whom one signs in, which a person's own machine says."""

    #: People of these domains of Google Workspace (the claim `hd`). With both lists empty a server lets nobody in.
    hosted_domains: list[str] = attrs.field(factory=list, validator=_domains)
    #: Service accounts by their e-mail, or all of a project by `*@PROJECT.iam.gserviceaccount.com`.
    service_accounts: list[str] = attrs.field(factory=list, validator=_accounts)
    #: On a person's machine: the service account to sign in as, where their credentials are not one's already.
    impersonate: str = attrs.field(default="", validator=_account)

    def allows(self, email: str, domain: str | None) -> bool:
        """Say whether one is let in by what a token says: of a domain if it names one, else a service account."""
        if domain is not None:
            return domain in self.hosted_domains
        return _ACCOUNT.match(email) is not None and (
            email in self.service_accounts or "*@" + email.partition("@")[2] in self.service_accounts
        )
