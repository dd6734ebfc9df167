"""What the suites of objects, shares and scaling have in common: settings and a session for APIs on this machine."""

from __future__ import annotations

import pytest

from gpudev_gcp.session import Session
from gpudev_gcp.settings import GcpSettings
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
