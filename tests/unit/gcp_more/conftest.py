"""A Google of this machine, and the login over it."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid

import pytest
from google.auth import exceptions

from gpudev_gcp.identity import GcpIdentity
from gpudev_gcp.login_settings import GcpLoginSettings
from gpudev_sdk import clock
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.providers import Context
from gpudev_sdk.testing.identity import AUDIENCE
from tests.unit.gcp_more.google import ACCOUNT, Google
from tests.unit.gcp_more.web import Web


@pytest.fixture
def web():
    made = Web()
    yield made
    made.close()


@pytest.fixture
def google(web):
    return Google(web)


@pytest.fixture
def login(google, tmp_path, install):
    """Return what builds the server's side."""

    def make(**settings) -> GcpIdentity:
        kind = type("Here", (GcpIdentity,), {"certs": google.web.address + "/oauth2/v3/certs"})
        return kind(GcpLoginSettings(**settings), Context(install_id=install, name="corp", data_folder=tmp_path))

    return make


@pytest.fixture
def install():
    return uuid.UUID(int=7)


@pytest.fixture
def server(login):
    return login(service_accounts=[ACCOUNT], hosted_domains=["corp.example"])


@pytest.fixture
def challenge(now):
    return Challenge(nonce=secrets.token_urlsafe(72), expires_at=now, audience=AUDIENCE)


@pytest.fixture
def now():
    return dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def ticking():
    """Return a clock that a test moves: `ticking[0] += 60`."""
    moment = [1000.0]
    clock.install(lambda: moment[0])
    yield moment
    clock.install(None)


@pytest.fixture
def machine(monkeypatch):
    """Return what gives this machine credentials of Google, or none."""

    def have(credentials) -> None:
        def default(scopes=None):
            if credentials is None:
                raise exceptions.DefaultCredentialsError("none here")
            return credentials, "project"

        monkeypatch.setattr("google.auth.default", default)

    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"):
        monkeypatch.delenv(name, raising=False)
    return have


@pytest.fixture
def iam():
    """Return another address of Google, which makes tokens."""
    made = Web()
    yield made
    made.close()


@pytest.fixture
def client(iam, install, tmp_path):
    def make(**settings) -> GcpIdentity:
        kind = type("Here", (GcpIdentity,), {"iam": iam.address})
        return kind(GcpLoginSettings(**settings), Context(install_id=install, name="corp", data_folder=tmp_path))

    return make
