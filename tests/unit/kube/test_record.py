"""Records and tombstones: a server begins once, ends once, and is remembered for an hour."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.record import ENDED_AT, STAYS, SWEEP, Records, boot_files
from tests.unit.kube.bench import Nth
from tests.unit.kube.objects import INSTALL, NOW, RESERVATION, SERVER, STRANGER

NAME = f"gd-aabbccdd-{RESERVATION}-1"
OTHER = ServerId(RESERVATION, 2)
KEY = ("configmaps", "gpu-dev", NAME)
LABELS = names.server_labels(INSTALL, SERVER)


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
    fake.store.merge(KEY, {"metadata": {"finalizers": ["foregroundDeletion"]}})
    fake.store.delete(KEY)

    with pytest.raises(TryLater, match="last traces"):
        records.begin(SERVER, {})


def test_servers_are_those_with_a_record(records, api):
    records.begin(SERVER, {})
    records.begin(OTHER, {})
    records.bury(ServerId(RESERVATION, 3), NOW)
    Records(api, STRANGER).begin(SERVER, {})

    assert records.servers() == {SERVER, OTHER}


def test_what_is_buried_is_no_server_any_more(records):
    records.begin(SERVER, {})

    records.bury(SERVER, NOW)

    assert records.servers() == set()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_buried_does_not_begin_again_also_elsewhere(fake, api, records, restarted):
    records.begin(SERVER, {})
    records.bury(SERVER, NOW)
    asked = Records(api, INSTALL) if restarted else records

    assert asked.begin(SERVER, {}) is None
    assert asked.begin(OTHER, {}) is not None
    assert asked.is_known_buried(SERVER) is not restarted
    assert (asked.is_buried(SERVER), asked.is_buried(OTHER)) == (True, False)
    assert [call.verb for call in fake.calls if call.name == f"{NAME}-end"] == []


def test_a_tombstone_takes_the_place_of_the_record_and_what_that_owns_goes(fake, records):
    made = records.begin(SERVER, {"start.sh": "x"})
    owned = {"kind": "Secret", "metadata": {"ownerReferences": names.owned_by(made)}}
    fake.store.create(("secrets", "gpu-dev", "files"), owned)

    records.bury(SERVER, NOW, made["metadata"]["uid"])

    assert kept(fake) == [NAME]
    grave = fake.store.get(KEY)
    assert grave["metadata"]["uid"] != made["metadata"]["uid"]
    assert "data" not in grave
    assert [call.verb for call in fake.calls] == ["create", "delete", "create"]


def test_a_tombstone_is_not_removed_by_who_takes_it_for_the_record(fake, api, records):
    uid = records.begin(SERVER, {})["metadata"]["uid"]
    records.bury(SERVER, NOW, uid)
    grave = fake.store.get(KEY)

    Records(api, INSTALL).bury(SERVER, NOW + STAYS, uid)

    assert fake.store.get(KEY) == grave


@pytest.mark.parametrize("known", [None, "of another"])
def test_a_record_that_is_not_known_is_found_and_its_place_taken(fake, api, records, known):
    made = records.begin(SERVER, {"start.sh": "x"})
    fake.store.create(("secrets", "gpu-dev", "files"), {"metadata": {"ownerReferences": names.owned_by(made)}})

    Records(api, INSTALL).bury(SERVER, NOW, known)

    assert kept(fake) == [NAME]
    assert records.begin(SERVER, {}) is None


def test_a_launch_between_the_record_and_the_tombstone_is_ended_too(fake, api, records):
    made = records.begin(SERVER, {})

    def slip_in(call):
        if (call.verb, len(late)) == ("create", 0):
            late.append(fake.store.create(KEY, {"kind": "ConfigMap"} | {"metadata": {"labels": LABELS}}))

    late: list[dict] = []
    fake.trouble = slip_in
    records.bury(SERVER, NOW, made["metadata"]["uid"])

    assert late
    assert fake.store.get(KEY)["metadata"]["labels"]["gpudev.io/part"] == "end"


def test_a_record_that_somebody_holds_is_not_taken_for_a_tombstone(fake, records):
    records.begin(SERVER, {})
    fake.store.merge(KEY, {"metadata": {"finalizers": ["their.io/held"]}})

    with pytest.raises(TryLater, match="still being removed"):
        records.bury(SERVER, NOW)
    assert not records.is_known_buried(SERVER)

    fake.store.remove(KEY)
    records.bury(SERVER, NOW)
    assert records.is_known_buried(SERVER)


@pytest.mark.parametrize("what", ["cut", "lose", "503"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_burial_that_was_cut_off_and_is_repeated_is_whole(fake, api, records, number, what):
    uid = records.begin(SERVER, {})["metadata"]["uid"]
    fake.trouble = Nth(number, what)
    with pytest.raises(TryLater):
        records.bury(SERVER, NOW, uid)

    records.bury(SERVER, NOW, uid)

    assert kept(fake) == [NAME]
    assert Records(api, INSTALL).begin(SERVER, {}) is None


@pytest.mark.parametrize("given", [False, True])
def test_a_tombstone_keeps_the_name_of_a_volume_that_was_made_for_the_server(fake, records, given):
    notes = {names.STATIC: "gd-disk", "gpudev.io/other": "x"}
    made = records.begin(SERVER, {}, notes)

    records.bury(SERVER, NOW, made["metadata"]["uid"] if given else None, notes if given else None)

    assert fake.store.get(KEY)["metadata"]["annotations"] == {names.STATIC: "gd-disk", ENDED_AT: NOW.isoformat()}


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

    assert kept(fake) == [NAME]


def test_a_tombstone_stays_for_an_hour(fake, records, passing):
    records.bury(SERVER, NOW)
    passing(SWEEP)
    records.sweep(NOW + STAYS)

    assert kept(fake) == [NAME]


def test_a_tombstone_that_is_older_is_removed(fake, records, passing):
    records.bury(SERVER, NOW)
    records.bury(OTHER, NOW + dt.timedelta(minutes=30))
    records.begin(ServerId(RESERVATION, 3), {})
    passing(SWEEP)

    records.sweep(NOW + STAYS + dt.timedelta(seconds=1))

    assert kept(fake) == [f"gd-aabbccdd-{RESERVATION}-2", f"gd-aabbccdd-{RESERVATION}-3"]


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
    fake.store.merge(("configmaps", "gpu-dev", NAME), {"metadata": {"annotations": None}})
    passing(SWEEP)

    records.sweep(NOW + 2 * STAYS)

    assert kept(fake) == [NAME]


def test_every_box_begins_with_the_shipped_scripts():
    files = boot_files()

    assert set(files) == {"start.sh", "listening.sh", "sshd_config"}
    assert files["start.sh"].startswith("#!/bin/sh\n")
