"""The clouds around the test cluster, one after the other: the journeys run over each of them as they are."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.cluster.clouds.installs import cloud_around, prepare_on

CLOUDS = ("aws", "gcp")
#: Of another cluster we are not the ones who bring disks to its nodes.
NOT_OURS = "the cluster is not one that is brought up here, and its nodes have no disks of a cloud"
_HERE = pathlib.Path(__file__).parent
#: What runs each time, as all journeys over both clouds take 12 minutes: what goes through a disk and its snapshots over both,
#: and each kind of end over one. `ALL_JOURNEYS=1` has all run over both.
ALWAYS = {
    "test_a_file_on_a_disk_is_there_in_the_next_box": CLOUDS,
    "test_a_snapshot_brings_an_older_content_back": CLOUDS,
    "test_a_box_is_warned_in_its_terminals_and_ends_after_the_notice": ("gcp",),
    "test_a_box_goes_on_while_gpudev_is_killed_and_comes_back": ("aws",),
    "test_killed_while_preparing_it_comes_up_all_the_same": ("gcp",),
    "test_killed_while_stopping_it_ends_cleanly": ("aws",),
}


def pytest_collection_modifyitems(config, items):
    """Leave the other journeys out, unless all are asked for."""
    if os.environ.get("ALL_JOURNEYS"):
        return
    journeys = [each for each in items if _HERE in each.path.parents and each.path.name != "test_what_is_true.py"]
    left_out = [each for each in journeys if each.callspec.params["cloud"] not in ALWAYS.get(each.originalname, ())]
    items[:] = [each for each in items if each not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="package", params=CLOUDS)
def cloud(request, place, tmp_path_factory):
    """A cloud whose cluster the test cluster is."""
    if place.machine is None:
        pytest.skip(NOT_OURS)
    keys = tmp_path_factory.mktemp(request.param)
    for each in ("door", "google"):
        (keys / each).mkdir()
    with cloud_around(request.param, place, keys) as made:
        yield made


@pytest.fixture(scope="package")
def new_install(place, cloud):
    """What makes an install there, in the place of one of this machine."""
    return lambda: prepare_on(place, cloud)
