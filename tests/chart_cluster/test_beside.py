"""A second release in the same cluster, in namespaces of its own: neither notices the other."""

from __future__ import annotations

import json

from tests.fix_install import until


def test_it_comes_up_with_wait_and_the_first_has_not_changed(release, alone, second):
    assert second.ready()
    assert release.whole() == alone


def test_it_is_somebody_else(release, second):
    ours, theirs = release.secret(), second.secret()

    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] == theirs[name] and not name.endswith("dsn")} <= {"owner-password"}
    assert "kim" in _users(release)
    assert "kim" not in _users(second)


def _users(release):
    return [name for name in release.sql("SELECT name FROM app_user ORDER BY name").splitlines() if name]


def test_what_the_first_holds_is_not_given_out_by_the_second(kim, second):
    kim.back()
    kim.cli("reserve", "h100:4", "1h", "--no-disk", "--name", "half")
    try:
        until(lambda: _free(second) == 4, within=60)
    finally:
        kim.cli("cancel", "half", "--wait")
    until(lambda: _free(second) == 8, within=60)


def _free(release):
    """Say how many GPUs a release has to give, as its admin sees it from inside."""
    said = release.kubectl("exec", f"deploy/{release.name}-api", "--container=api", "--", "gpudev", "avail", "--json")
    (row,) = [each for each in json.loads(said)["rows"] if each["gpu_type"] == "h100"]
    return row["free"]
