"""The public laws of a login over service accounts of a real cluster."""

from __future__ import annotations

import pathlib
import re

import pytest

from gpudev_kind.identity import KindIdentity
from gpudev_kind.settings import KindLoginSettings
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.kube.kinds import SERVICE_ACCOUNT
from gpudev_sdk.testing import IdentityContract


@pytest.fixture(scope="module")
def people(place):
    """Two people of the cluster."""
    for name in ("kim", "lee"):
        place.api().create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.body({"name": name}))
    yield
    for name in ("kim", "lee"):
        place.api().delete(SERVICE_ACCOUNT, name)


class TestIdentity(IdentityContract):
    @pytest.fixture
    def login(self, place, people, context):
        def make(account, namespace=None):
            settings = KindLoginSettings(
                kubeconfig=place.kubeconfig, context="", namespace=namespace or place.namespace, account=account
            )
            return KindIdentity(settings, context)

        return make

    @pytest.fixture
    def identity(self, login):
        return login("")

    @pytest.fixture
    def client(self, login):
        return login("kim")

    @pytest.fixture
    def secret(self, place):
        """Whatever in the kubeconfig is long enough to be a key."""
        return max(re.findall(r"[A-Za-z0-9+/=_.-]{20,}", pathlib.Path(place.kubeconfig).read_text()), key=len)

    def test_two_people_are_two_subjects(self, identity, login, client, challenge):
        kim, lee = (
            identity.verify_credentials(each.get_caller_identity(challenge), challenge)
            for each in (client, login("lee"))
        )

        assert (kim.display, lee.display) == ("kim", "lee")
        assert kim.subject != lee.subject

    def test_an_account_of_another_namespace_is_nobody(self, login, credentials, challenge):
        with pytest.raises(NotSignedIn):
            login("", namespace="default").verify_credentials(credentials, challenge)
