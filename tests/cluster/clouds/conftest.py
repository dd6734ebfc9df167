"""The clouds around the test cluster, one after the other: the journeys run over each of them as they are."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.cluster.clouds.installs import cloud_around, prepare_on

CLOUDS = ("aws", "gcp")
#: Of another cluster we are not the ones who bring disks to its nodes.
NOT_OURS = "the cluster is not one that is brought up here, and its nodes have no disks of a cloud"
#: What goes through a disk, its snapshots or a kill -9 while one is made or given up: over each cloud, always. Of the others each
#: runs over one of them, unless ALL_JOURNEYS is set.
TELLING = {
    "test_a_file_on_a_disk_is_there_in_the_next_box",
    "test_a_snapshot_brings_an_older_content_back",
    "test_a_box_is_warned_in_its_terminals_and_ends_after_the_notice",
    "test_killed_while_preparing_it_comes_up_all_the_same",
    "test_killed_while_stopping_it_ends_cleanly",
    "test_the_doctor_finds_nothing_after_all_that",
}
_HERE = pathlib.Path(__file__).parent
_ALWAYS = _HERE / "test_what_is_true.py"


def pytest_collection_modifyitems(config, items):
    """Leave out the second run of what does not touch the cloud."""
    ours = [item for item in items if _HERE in item.path.parents and item.path != _ALWAYS]
    others = sorted({item.originalname for item in ours} - TELLING)
    if os.environ.get("ALL_JOURNEYS"):
        return
    turns = {name: CLOUDS[number % len(CLOUDS)] for number, name in enumerate(others)}
    left_out = [item for item in ours if turns.get(item.originalname) not in (None, item.callspec.params["cloud"])]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", params=CLOUDS)
def cloud(request, place, tmp_path_factory):
    """A cloud whose cluster the test cluster is."""
    if place.machine is None:
        pytest.skip(NOT_OURS)
    keys = tmp_path_factory.mktemp(request.param)
    for each in ("door", "google"):
        (keys / each).mkdir()
    with cloud_around(request.param, place, keys) as made:
        yield made


@pytest.fixture(scope="session")
def new_install(place, cloud):
    """What makes an install there, in the place of one of this machine."""
    return lambda: prepare_on(place, cloud)
