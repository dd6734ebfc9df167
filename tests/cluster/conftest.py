"""One cluster for all tests of this folder: that of KUBECONFIG, one of kind, or one that is brought up here."""

from __future__ import annotations

import pytest

from gpudev_sdk.kube.compute import PodCompute
from gpudev_sdk.kube.storage import ClaimStorage
from tests.cluster import place as places
from tests.cluster.installs import prepare_on


@pytest.fixture(scope="session")
def place():
    with places.choose()() as found:
        yield found


@pytest.fixture
def settings(place):
    return place.settings()


@pytest.fixture
def compute(settings, context):
    return PodCompute(settings, context)


@pytest.fixture
def storage(settings, context):
    return ClaimStorage(settings, context)


@pytest.fixture(scope="session")
def new_install(place):
    """What makes an install here; the journeys of one machine run with it as they are."""
    return lambda: prepare_on(place)
