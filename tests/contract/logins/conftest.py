"""The API with logins: two of one provider, one that enrols, one by keys, and the simulated cloud's."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from gpudev_sdk import plugins
from gpudev_sdk.config import Login
from gpudev_sdk.testing.cloud import SimulatedCloud, SimulatedIdentity, SimulatedSettings, VirtualClock
from gpudev_services.api import me
from gpudev_services.api.rates import Rate
from tests.contract.logins.people import AUDIENCE, CONTEXT, challenge, corp


@pytest.fixture
def cloud():
    made = SimulatedCloud(VirtualClock(dt.datetime(2026, 11, 1, tzinfo=dt.UTC)), random.Random(1))
    made.people["ada"] = "lovelace"
    return made


@pytest.fixture
def logins(cloud):
    keys = plugins.identity("ssh")
    ada = SimulatedIdentity(SimulatedSettings(cloud=cloud), CONTEXT)
    made = [
        Login(name="corp", provider="corp", identity=corp(), public={"realm": "lab", "patience": "7"}),
        Login(name="other", provider="corp", identity=corp()),
        Login(name="open", provider="corp", identity=corp(), enrol=True),
        Login(name="keys", provider="ssh", identity=keys(keys.Settings(), CONTEXT)),
        Login(name="cloud", provider="simulated", identity=ada),
    ]
    return {login.name: login for login in made}


@pytest.fixture
def audiences():
    return frozenset({AUDIENCE})


@pytest.fixture
def wide(api, monkeypatch):
    """A stranger's client, who is not rationed."""
    monkeypatch.setattr(me, "LOGIN", Rate("login", 10_000))
    return api.client("wide")


@pytest.fixture
def present(wide):
    """Log in with what a provider makes for a challenge; return the answer."""

    def ask(provider, *, by="corp", dialled=AUDIENCE, said=None, nonce=None):
        nonce = nonce or wide.post("/v1/login/challenge").json()["nonce"]
        fields = provider.get_caller_identity(challenge(nonce, dialled)).fields
        body = {"login": by, "nonce": nonce, "audience": said or dialled, "fields": fields}
        return wide.post("/v1/login", json=body)

    return ask


@pytest.fixture
def come(present):
    """Log in as whom one says one is, by a login whose word one knows."""

    def ask(subject, display="", **how):
        return present(corp(account=subject, display=display), **how)

    return ask


@pytest.fixture
def link(api):
    """Ask for an identity to be linked; return the answer."""

    def ask(name, subject, login="corp"):
        return api.client().post(f"/v1/admin/users/{name}/identities", json={"login": login, "subject": subject})

    return ask


@pytest.fixture
def unlink(api):
    """Take a person's identity of this subject away; return the answer."""

    def ask(name, subject):
        owner = api.client()
        items = owner.get("/v1/admin/users").json()["items"]
        there = {each["subject"]: each["id"] for user in items if user["name"] == name for each in user["identities"]}
        return owner.delete(f"/v1/admin/users/{name}/identities/{there[subject]}")

    return ask
