"""What EBS is asked to make a disk and a snapshot, and what it says of them."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_aws import snapshots, tags, volumes
from gpudev_aws.settings import AwsSettings
from gpudev_sdk.domain.disk import SnapshotSpec, SnapshotState, VolumeRef, VolumeSpec
from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.errors import TryLater

INSTALL, DISK, VOLUME, SNAPSHOT = (uuid.UUID(int=number) for number in (7, 1, 2, 3))
SETTINGS = AwsSettings(region="us-east-1")
SPEC = VolumeSpec(volume_id=VOLUME, disk_id=DISK, owner_number=4, size_bytes=10 * GIB, node="n")
TAKEN = {
    "SnapshotId": "snap-1",
    "VolumeId": "vol-1",
    "VolumeSize": 20,
    "State": "completed",
    "StartTime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "Tags": [
        {"Key": tags.SNAPSHOT, "Value": str(SNAPSHOT)},
        {"Key": tags.SOURCE, "Value": "vol-1"},
        {"Key": tags.DISK, "Value": str(DISK)},
    ],
}


def asked(spec=SPEC, source=None, **settings):
    return volumes.request(spec, "us-east-1a", attrs.evolve(SETTINGS, **settings), INSTALL, source)


def made(**changes):
    ours = {tags.INSTALL: str(INSTALL), tags.VOLUME: str(VOLUME), tags.DISK: str(DISK)}
    plain = {"VolumeId": "vol-1", "State": "available", "AvailabilityZone": "us-east-1a", "Attachments": []}
    return plain | {"Tags": [{"Key": key, "Value": value} for key, value in ours.items()]} | changes


def test_a_volume_is_asked_for_whole():
    assert asked() == {
        "AvailabilityZone": "us-east-1a",
        "VolumeType": "gp3",
        "Encrypted": True,
        "Size": 10,
        "TagSpecifications": [
            {
                "ResourceType": "volume",
                "Tags": [
                    {"Key": "Name", "Value": f"gpudev disk {DISK}"},
                    {"Key": "gpudev:disk", "Value": str(DISK)},
                    {"Key": "gpudev:install", "Value": str(INSTALL)},
                    {"Key": "gpudev:owner", "Value": "4"},
                    {"Key": "gpudev:volume", "Value": str(VOLUME)},
                ],
            }
        ],
    }


def test_what_the_operator_says_is_asked_for():
    found = asked(volume_type="gp3", iops=4000, throughput=300, kms_key="alias/x", tags={"team": "ml", "Name": "mine"})

    assert (found["Iops"], found["Throughput"], found["KmsKeyId"]) == (4000, 300, "alias/x")
    shown = {tag["Key"]: tag["Value"] for tag in found["TagSpecifications"][0]["Tags"]}
    assert shown["team"] == "ml"
    assert shown["Name"] == f"gpudev disk {DISK}"


def test_an_operators_tag_never_takes_the_place_of_ours():
    assert {tag["Key"] for tag in asked()["TagSpecifications"][0]["Tags"]} > {"gpudev:install", "gpudev:volume"}


def test_without_encryption_nothing_is_said_of_it_so_that_an_encrypted_snapshot_can_be_restored():
    assert "Encrypted" not in asked(encrypted=False)


@pytest.mark.parametrize(("size", "gib"), [(1, 1), (GIB, 1), (GIB + 1, 2), (10 * GIB, 10), (10 * GIB - 1, 10)])
def test_sizes_are_whole_gib_rounded_up(size, gib):
    assert asked(attrs.evolve(SPEC, size_bytes=size))["Size"] == gib


@pytest.mark.parametrize(("kind", "least"), [("gp3", 1), ("gp2", 1), ("io2", 4), ("st1", 125), ("sc1", 125)])
def test_no_volume_is_smaller_than_its_type_can_be(kind, least):
    iops = 100 if kind == "io2" else 0

    assert asked(attrs.evolve(SPEC, size_bytes=1), volume_type=kind, iops=iops)["Size"] == least


def test_a_volume_of_a_larger_snapshot_has_its_size_and_of_a_smaller_one_keeps_its_own():
    assert asked(source=TAKEN)["Size"] == 20
    assert asked(source=TAKEN | {"VolumeSize": 5})["Size"] == 10
    assert asked(source=TAKEN)["SnapshotId"] == "snap-1"
    shown = {tag["Key"]: tag["Value"] for tag in asked(source=TAKEN)["TagSpecifications"][0]["Tags"]}
    assert shown["gpudev:restored-from"] == str(SNAPSHOT)
    assert tags.SNAPSHOT not in shown


def test_the_token_is_the_same_for_the_same_and_other_for_everything_else():
    first = volumes.token(asked(), None)
    others = [
        volumes.token(asked(), "vol-lost"),
        volumes.token(asked(attrs.evolve(SPEC, volume_id=uuid.UUID(int=9))), None),
        volumes.token(volumes.request(SPEC, "us-east-1a", SETTINGS, uuid.UUID(int=8)), None),
        volumes.token(asked(source=TAKEN), None),
    ]

    assert volumes.token(asked(), None) == first
    assert len({first, *others}) == 5
    assert len(first) <= 64


@pytest.mark.parametrize(
    ("state", "ready", "presence"),
    [("available", True, "present"), ("in-use", True, "present"), ("creating", False, "present"),
     ("deleting", False, "present"), ("error", False, "absent"), ("something", False, "present")],
)  # fmt: skip
def test_states_are_seen_as_they_are(state, ready, presence):
    seen = volumes.see(made(State=state))

    assert (seen.ready, seen.presence) == (ready, presence)
    assert bool(seen.reason) is (state in ("creating", "deleting", "error"))


@pytest.mark.parametrize(
    ("state", "attachments", "users"),
    [
        ("available", [], ()),
        ("in-use", [{"InstanceId": "i-1", "State": "attached"}], ("i-1",)),
        ("in-use", [{"InstanceId": "i-1", "State": "detaching"}], ("i-1",)),
        ("in-use", [{"InstanceId": "i-1", "State": "busy"}, {"InstanceId": "i-2", "State": "attaching"}], ("i-1", "i-2")),
        ("available", [{"InstanceId": "i-1", "State": "detached"}], ()),
        ("in-use", [], None),
    ],
)  # fmt: skip
def test_what_has_a_volume_is_said_until_it_let_go(state, attachments, users):
    assert volumes.see(made(State=state, Attachments=attachments)).attachments == users


def test_of_several_the_one_of_the_handle_is_chosen_and_without_one_none():
    pair = [made(), made(VolumeId="vol-2")]

    assert volumes.choose(pair, "vol-2")["VolumeId"] == "vol-2"
    assert volumes.choose(pair, "vol-3") is None
    with pytest.raises(TryLater, match="vol-1, vol-2 carry the same tags"):
        volumes.choose(pair, None)
    assert volumes.choose(pair[:1], None)["VolumeId"] == "vol-1"
    assert volumes.choose([], None) is None


def test_what_is_deleted_or_has_no_id_or_is_tagged_as_a_snapshot_is_no_disk():
    snapshot = {"Key": tags.SNAPSHOT, "Value": str(SNAPSHOT)}

    assert volumes.ours([made(State="deleted"), made(Tags=[]), made(Tags=[*made()["Tags"], snapshot])]) == []
    assert volumes.ours([made(Tags=[{"Key": tags.VOLUME, "Value": "not an id"}])]) == []
    assert volumes.ours([made()]) == [made()]


def test_a_snapshot_is_asked_for_whole():
    volume = VolumeRef(volume_id=VOLUME, disk_id=DISK, handle="vol-1")
    spec = SnapshotSpec(snapshot_id=SNAPSHOT, volume=volume, owner_number=4)

    found = snapshots.request(spec, "vol-1", attrs.evolve(SETTINGS, tags={"team": "ml"}), INSTALL)

    assert (found["VolumeId"], found["Description"]) == ("vol-1", f"gpudev {SNAPSHOT}")
    assert {tag["Key"]: tag["Value"] for tag in found["TagSpecifications"][0]["Tags"]} == {
        "Name": f"gpudev snapshot of {DISK}",
        "gpudev:disk": str(DISK),
        "gpudev:install": str(INSTALL),
        "gpudev:owner": "4",
        "gpudev:snapshot": str(SNAPSHOT),
        "gpudev:source": "vol-1",
        "gpudev:volume": str(VOLUME),
        "team": "ml",
    }


@pytest.mark.parametrize(
    ("state", "seen"),
    [("completed", SnapshotState.COMPLETED), ("pending", SnapshotState.PENDING), ("error", SnapshotState.ERROR),
     ("recoverable", SnapshotState.PENDING), ("recovering", SnapshotState.PENDING)],
)  # fmt: skip
def test_only_a_completed_snapshot_is_complete(state, seen):
    found = snapshots.see(TAKEN | {"State": state, "StateMessage": "why"})

    assert found.state is seen
    assert (found.completed_at is not None) is (seen is SnapshotState.COMPLETED)
    assert found.reason == ("why" if seen is SnapshotState.ERROR else "")
    assert found.size_bytes == 20 * GIB


def test_when_it_was_complete_is_said_where_ebs_says_it():
    later = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)

    assert snapshots.see(TAKEN | {"CompletionTime": later}).completed_at == later
    assert snapshots.see(TAKEN).completed_at == TAKEN["StartTime"]


def test_a_copy_and_one_of_another_volume_are_not_ours():
    others = ({"VolumeId": "vol-ffffffff"}, {"VolumeId": "vol-2"}, {"TransferType": "standard"})

    assert [snapshots.ours([TAKEN | other]) for other in others] == [[], [], []]
    assert snapshots.ours([TAKEN]) == [TAKEN]


def test_of_two_of_one_id_the_older_is_ours():
    later = TAKEN | {"SnapshotId": "snap-0", "StartTime": TAKEN["StartTime"] + dt.timedelta(seconds=1)}

    assert snapshots.choose(snapshots.ours([later, TAKEN]), None) == TAKEN
    assert snapshots.choose(snapshots.ours([later, TAKEN]), "snap-0") == later
    assert snapshots.choose(snapshots.ours([later, TAKEN]), "snap-9") is None
