"""Limits as files of control groups, of both versions."""

from __future__ import annotations

import pathlib

import pytest

from gpudev_sdk.local import cgroups
from gpudev_sdk.local.cgroups import Place

ALL = frozenset({"cpu", "memory", "pids"})


@pytest.fixture
def one_place(monkeypatch, request, tmp_path):
    monkeypatch.setattr(cgroups, "places", lambda: (Place(tmp_path, ALL, request.param),))
    return tmp_path


@pytest.mark.parametrize("one_place", [2], indirect=True)
def test_the_second_version_has_one_file_a_limit(one_place):
    (group,) = cgroups.plan("box", cpus=1.5, memory_bytes=1000)

    assert group.limits["cpu.max"] == "150000 100000"
    assert group.limits["memory.max"] == "1000"
    assert group.folder == one_place / "gpudev-box"


@pytest.mark.parametrize("one_place", [1], indirect=True)
def test_the_first_version_has_its_own_names(one_place):
    (group,) = cgroups.plan("box", cpus=0.5, memory_bytes=1000)

    assert group.limits["cpu.cfs_quota_us"] == "50000"
    assert group.limits["memory.limit_in_bytes"] == "1000"


@pytest.mark.parametrize("one_place", [2], indirect=True)
def test_what_was_not_said_is_not_limited(one_place):
    (group,) = cgroups.plan("box", cpus=None, memory_bytes=None)

    assert set(group.limits) == {"pids.max"}


@pytest.mark.parametrize("one_place", [2], indirect=True)
def test_a_group_that_is_gone_already_is_fine(one_place):
    cgroups.remove((str(one_place / "none"),))


def test_without_a_place_there_are_no_limits_and_that_is_said(monkeypatch):
    monkeypatch.setattr(cgroups, "places", lambda: ())

    assert cgroups.plan("box", cpus=1.0, memory_bytes=1) == ()
    assert cgroups.described().startswith("none")


def test_a_place_where_nothing_may_be_made_is_not_used():
    assert not cgroups._works(Place(pathlib.Path("/proc"), ALL, 2))
