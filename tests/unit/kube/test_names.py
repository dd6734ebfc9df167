"""Names and labels of what we make."""

from __future__ import annotations

import re
import uuid

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.kube import names
from tests.unit.kube.objects import INSTALL, RESERVATION, SERVER, STRANGER, pod

SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def test_every_name_is_a_lawful_one_also_after_many_attempts():
    server = ServerId(RESERVATION, 999_999)
    made = [names.server_name(INSTALL, server) + end for end in ("", names.FILES_SUFFIX, names.ENV_SUFFIX)]
    made += [
        names.volume_name(INSTALL, RESERVATION),
        names.snapshot_name(INSTALL, RESERVATION),
        names.claim_name(INSTALL),
    ]

    assert all(SUBDOMAIN.match(name) for name in made)
    assert len(set(made)) == len(made)


def test_labels_say_which_server_an_object_is_of():
    assert names.server_of({"metadata": {"labels": names.server_labels(INSTALL, SERVER)}}) == SERVER


def test_labels_that_somebody_wrote_over_say_nothing():
    for labels in (None, {}, {names.RESERVATION: "x", names.ATTEMPT: "1"}, {names.RESERVATION: str(RESERVATION)}):
        assert names.server_of({"metadata": {"labels": labels}}) is None


def test_an_object_is_ours_by_the_whole_install_id():
    alike = uuid.UUID(int=INSTALL.int ^ (1 << 100))

    assert names.server_name(alike, SERVER) == names.server_name(INSTALL, SERVER)
    assert names.is_ours(pod(), INSTALL)
    assert not names.is_ours(pod(), alike)
    assert not names.is_ours(pod(), STRANGER)
    assert not names.is_ours({"metadata": {}}, INSTALL)
