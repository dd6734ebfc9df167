"""Names and labels of what we make, as Google takes them."""

from __future__ import annotations

import re
import uuid

import pytest

from gpudev_gcp import marks

INSTALL, THING = uuid.UUID(int=1), uuid.UUID(int=2)
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def test_names_are_lawful_and_tell_installs_things_and_kinds_apart():
    names = {
        make(install, thing)
        for make in (marks.volume_name, marks.snapshot_name)
        for install in (INSTALL, uuid.UUID(int=3))
        for thing in (THING, uuid.UUID(int=4))
    }

    assert len(names) == 8
    assert all(NAME.match(name) for name in names)


def labelled(**changes):
    labels = {marks.INSTALL: str(INSTALL), marks.VOLUME: str(THING), marks.SNAPSHOT: str(THING)}
    return labels | {f"gpudev-{key}": value for key, value in changes.items()}


def test_what_has_our_name_and_our_labels_is_ours():
    assert marks.volume_of(marks.volume_name(INSTALL, THING), labelled(), INSTALL) == THING
    assert marks.snapshot_of(marks.snapshot_name(INSTALL, THING), labelled(), INSTALL) == THING


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("backup", labelled()),
        (marks.volume_name(INSTALL, THING), {}),
        (marks.volume_name(INSTALL, THING), labelled(install=str(uuid.UUID(int=5)))),
        (marks.volume_name(INSTALL, THING), labelled(volume=str(uuid.UUID(int=6)))),
        (marks.volume_name(INSTALL, THING), labelled(volume="not-an-id")),
        (marks.volume_name(uuid.UUID(int=7), THING), labelled()),
    ],
)
def test_where_name_and_labels_do_not_agree_it_is_not_ours(name, labels):
    assert marks.volume_of(name, labels, INSTALL) is None
