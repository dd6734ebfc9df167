"""The images that ship, built here by their Dockerfiles and unpacked; the first time takes minutes, root and a network."""

from __future__ import annotations

import os

import pytest

from tests.cluster.machine.layout import cache
from tests.cluster.machine.shipped import built_here

NAMES = ("services", "devserver")


@pytest.fixture(scope="session")
def storage():
    if os.geteuid() != 0:
        pytest.skip("buildah needs root here")
    with built_here(cache(), *NAMES) as (buildah, references):
        yield buildah, references


@pytest.fixture(scope="session")
def services(storage):
    buildah, references = storage
    with buildah.unpacked(references["services"]) as root:
        yield root


@pytest.fixture(scope="session", params=NAMES)
def image(request, storage):
    """The name and the root of each image."""
    buildah, references = storage
    with buildah.unpacked(references[request.param]) as root:
        yield request.param, root
