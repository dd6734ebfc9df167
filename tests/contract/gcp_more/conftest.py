"""What the suites of objects, shares and scaling have in common: settings and a session for APIs on this machine."""

from __future__ import annotations

import uuid

import pytest

from gpudev_gcp.compute import GcpCompute
from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.providers import Context
from tests.unit.gcp_more.web import Web


@pytest.fixture(scope="session", autouse=True)
def library():
    """Load Google's library before a first call would say that it is being loaded."""
    from google.cloud import compute_v1

    return compute_v1


@pytest.fixture
def web():
    made = Web()
    yield made
    made.close()


@pytest.fixture
def session_at():
    """Return what makes a session for APIs at an address."""
    made = []

    def make(address: str, **settings) -> Session:
        given = {
            "project": "my-lab-123456",
            "zones": ["us-central1-a", "us-central1-b"],
            "calls_per_second": 1000.0,
            "bucket": "lab",
            "cluster": "gpu-dev",
            "cluster_location": "us-central1",
        }
        made.append(Session(GcpSettings(**given | settings, endpoint=address)))
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def storage_at(session_at, context):
    """Return what makes a storage for APIs at an address, of this install or of another."""

    def make(address: str, whose: Context = context, **settings) -> GcpStorage:
        session = session_at(address, **settings)
        return GcpStorage(session.settings, whose, session)

    return make


@pytest.fixture
def compute_at(session_at, context):
    """Return what makes a compute for APIs at an address."""

    def make(address: str, **settings) -> GcpCompute:
        session = session_at(address, **settings)
        return GcpCompute(session.settings, context, session)

    return make


@pytest.fixture
def context(tmp_path):
    """Return this install, where a test is of no suite."""
    return Context(install_id=uuid.uuid4(), name="contract", data_folder=tmp_path)
