"""The public laws of objects, shares and the login on a real project: `pytest -m cloud tests/contract/gcp_more/test_cloud.py`.

`GCP_PROJECT` says which; `GCP_BUCKET` a bucket to keep objects in, `GCP_ZONE` and `GCP_NETWORK` where folders are shared (an
instance of 1 TiB for each test, which costs money), `GCP_IMPERSONATE` a service account that one may have ID tokens made of.
Every test is an install of its own, and what carries its id is deleted at the end, and nothing else.
"""

from __future__ import annotations

import os
import time

import pytest

from gpudev_gcp.identity import GcpIdentity
from gpudev_gcp.login_settings import GcpLoginSettings
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.providers.shares import ShareRef
from gpudev_sdk.testing import IdentityContract, ObjectStorageContract, SharedStorageContract

pytestmark = pytest.mark.cloud
#: How long an instance of Filestore may take to be made, or to go.
_LONGEST = 900.0


def given(name: str) -> str:
    """Return what the environment says; skip without it."""
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(f"missing ability: {name} is not set, so there is no account to try it on")
    return value


@pytest.fixture
def storage_of():
    """Return what makes a storage of an install."""
    made = []

    def make(whose, **settings) -> GcpStorage:
        session = Session(GcpSettings(project=given("GCP_PROJECT"), **settings))
        made.append(session)
        return GcpStorage(session.settings, whose, session)

    yield make
    for session in made:
        session.close()


class TestObjects(ObjectStorageContract):
    budget = 20.0

    @pytest.fixture
    def objects(self, storage_of, context):
        made = storage_of(context, bucket=given("GCP_BUCKET"))
        yield made
        for left in made.list_objects():
            made.delete_object(left.key)

    @pytest.fixture
    def other_objects(self, storage_of, other_context):
        return storage_of(other_context, bucket=given("GCP_BUCKET"))


class TestShares(SharedStorageContract):
    budget = 20.0
    patience = _LONGEST

    @pytest.fixture
    def zone(self):
        return given("GCP_ZONE")

    @pytest.fixture
    def shares(self, storage_of, context):
        made = storage_of(context, zones=[given("GCP_ZONE")], shared_network=given("GCP_NETWORK"))
        yield made
        deadline = time.monotonic() + _LONGEST
        while left := made.list_shares():
            assert time.monotonic() < deadline
            for each in left:
                if each.ready:
                    made.delete_share(ShareRef(share_id=each.share_id))
            time.sleep(5.0)

    @pytest.fixture
    def other_shares(self, storage_of, other_context):
        return storage_of(other_context, zones=[given("GCP_ZONE")], shared_network=given("GCP_NETWORK"))


class TestLogin(IdentityContract):
    budget = 20.0

    @pytest.fixture
    def identity(self, context):
        return GcpIdentity(GcpLoginSettings(service_accounts=[given("GCP_IMPERSONATE")]), context)

    @pytest.fixture
    def client(self, context):
        return GcpIdentity(GcpLoginSettings(impersonate=given("GCP_IMPERSONATE")), context)

    @pytest.fixture
    def secret(self):
        pytest.skip("missing ability: the key of the account is Google's own")
