"""Records and tombstones: a server begins once, ends once, and is remembered for an hour."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube.record import STAYS, SWEEP, Records, boot_files
from tests.unit.kube.objects import INSTALL, NOW, RESERVATION, SERVER, STRANGER

NAME = f"gd-aabbccdd-{RESERVATION}-1"
OTHER = ServerId(RESERVATION, 2)


@pytest.fixture
def records(api, passing):
    return Records(api, INSTALL)


def kept(fake):
    return [name for _, _, name in sorted(fake.store.objects)]


def test_a_server_begins_once(fake, records):
    made = records.begin(SERVER, {"start.sh": "x"})

    again = records.begin(SERVER, {"start.sh": "y"})

    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    assert again["data"] == {"start.sh": "x"}
    assert kept(fake) == [NAME]


def test_a_record_that_is_being_removed_is_waited_for(fake, records):
    records.begin(SERVER, {})
    key = ("configmaps", "gpu-dev", NAME)
    fake.store.merge(key, {"metadata": {"finalizers": ["foregroundDeletion"]}})
    fake.store.delete(key)

    with pytest.raises(TryLater, match="last traces"):
        records.begin(SERVER, {})


def test_servers_are_those_with_a_record(records, api):
    records.begin(SERVER, {})
    records.begin(OTHER, {})
    records.bury(ServerId(RESERVATION, 3), NOW)
    Records(api, STRANGER).begin(SERVER, {})

    assert records.servers() == {SERVER, OTHER}


def test_what_is_cleared_is_no_server_any_more(records):
    records.begin(SERVER, {})

    records.clear(SERVER)
    records.clear(SERVER)

    assert records.servers() == set()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_buried_is_buried_also_for_others(api, records, restarted):
    records.bury(SERVER, NOW)
    asked = Records(api, INSTALL) if restarted else records

    assert asked.is_buried(SERVER)
    assert not asked.is_buried(OTHER)


def test_burying_twice_is_burying_once(fake, api, records):
    records.bury(SERVER, NOW)
    records.bury(SERVER, NOW + STAYS)
    Records(api, INSTALL).bury(SERVER, NOW + STAYS)

    (grave,) = fake.store.list("configmaps", None)[0]
    assert grave["metadata"]["annotations"] == {"gpudev.io/ended-at": NOW.isoformat()}


def test_a_burial_that_failed_is_not_remembered(fake, records):
    fake.trouble = lambda call: "503"
    with pytest.raises(TryLater):
        records.bury(SERVER, NOW)
    fake.trouble = lambda call: None

    records.bury(SERVER, NOW)

    assert kept(fake) == [f"{NAME}-end"]


def test_a_tombstone_stays_for_an_hour(fake, records, passing):
    records.bury(SERVER, NOW)
    passing(SWEEP)
    records.sweep(NOW + STAYS)

    assert kept(fake) == [f"{NAME}-end"]


def test_a_tombstone_that_is_older_is_removed(fake, records, passing):
    records.bury(SERVER, NOW)
    records.bury(OTHER, NOW + dt.timedelta(minutes=30))
    records.begin(SERVER, {})
    passing(SWEEP)

    records.sweep(NOW + STAYS + dt.timedelta(seconds=1))

    assert kept(fake) == [NAME, f"gd-aabbccdd-{RESERVATION}-2-end"]


def test_old_tombstones_are_looked_for_once_a_minute(fake, records, passing):
    records.bury(SERVER, NOW)
    for _ in range(5):
        records.sweep(NOW)
    passing(SWEEP)
    for _ in range(5):
        records.sweep(NOW)

    assert [call.verb for call in fake.calls] == ["create", "list"]


def test_tombstones_of_others_are_left(fake, api, records, passing):
    Records(api, STRANGER).bury(SERVER, NOW)
    passing(SWEEP)

    records.sweep(NOW + 2 * STAYS)

    assert len(kept(fake)) == 1


def test_a_tombstone_without_a_time_is_left(fake, records, passing):
    records.bury(SERVER, NOW)
    fake.store.merge(("configmaps", "gpu-dev", f"{NAME}-end"), {"metadata": {"annotations": None}})
    passing(SWEEP)

    records.sweep(NOW + 2 * STAYS)

    assert kept(fake) == [f"{NAME}-end"]


def test_every_box_begins_with_the_shipped_scripts():
    files = boot_files()

    assert set(files) == {"start.sh", "listening.sh", "sshd_config"}
    assert files["start.sh"].startswith("#!/bin/sh\n")
