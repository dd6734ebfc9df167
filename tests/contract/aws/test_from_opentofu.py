"""docs/operate/from-opentofu.md: its own commands find the disk to copy, and gpudev leaves alone what the old system has."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_sdk.errors import TryLater
from tests.contract.aws import test_compute
from tests.contract.aws.old_account import DAY, NO_VOLUME, OldAccount, run
from tests.pages import commands, fill

PAGE = "docs/operate/from-opentofu.md"
fake, computes = test_compute.fake, test_compute.computes
ROWS = ("take", "unfinished", "deleted", "copies")


def shown(name):
    """Return the page's one command of that name."""
    (found,) = commands(PAGE, f"aws ec2 {name}")
    return found


@pytest.fixture
def old(cloud):
    """An account with the disks of two people; what is left of an earlier test is taken away."""
    made = OldAccount(cloud.ec2, cloud.zone)
    _clear(made)
    for user, disk in (("kim", "work"), ("kim", "other"), ("lee", "work")):
        made.end(user, disk, at=90)
    yield made
    _clear(made)


def _clear(made):
    there = made.everything()
    for each in there["snapshots"]:
        made.ec2.delete_snapshot(SnapshotId=each["SnapshotId"])
    for each in there["volumes"]:
        made.ec2.delete_volume(VolumeId=each["VolumeId"])


def snapshots(old, **names):
    """Return what the page's command says of Kim's disk, by the ids in each of its rows."""
    words = [word.replace("Values=work", f"Values={names.get('disk', 'work')}") for word in shown("describe-snapshots")]
    said = run(old.ec2, words)
    assert tuple(said) == ROWS
    return {"take": said["take"] and said["take"]["id"]} | {row: [each["id"] for each in said[row]] for row in ROWS[1:]}


def volumes(old):
    return {each["id"]: each for each in run(old.ec2, shown("describe-volumes"))}


def found(take, **rows):
    return {"take": take} | {row: rows.get(row, []) for row in ROWS[1:]}


def test_the_newest_snapshot_of_that_person_and_disk_is_taken(old):
    newest = old.end("kim", "work", at=200)
    old.end("kim", "work", at=100)
    for user, disk in (("kim", "other"), ("lee", "work"), ("kimberly", "work"), ("kim", "work-2")):
        old.end(user, disk, at=300)

    assert snapshots(old) == found(newest)


@pytest.mark.parametrize("state", ["pending", "error"])
def test_one_that_is_not_complete_is_shown_and_never_taken(old, state):
    last = old.end("kim", "work", at=200)
    unfinished = old.save("kim", "work", old.start("kim", "work"), at=201, state=state)

    assert snapshots(old) == found(last, unfinished=[unfinished])


def test_what_another_account_shares_under_these_tags_is_not_seen(old):
    last = old.end("kim", "work", at=200)
    old.share("kim", "work", at=300)

    assert snapshots(old) == found(last)


def test_a_disk_that_its_owner_deleted_is_told_apart_with_the_date_on_which_it_is_removed(old):
    last = old.end("kim", "gone", at=200)
    date = old.delete("kim", "gone", at=210)

    assert snapshots(old, disk="gone") == found(None, deleted=[last])
    words = [word.replace("Values=work", "Values=gone") for word in shown("describe-snapshots")]
    assert [each["deleted"] for each in run(old.ec2, words)["deleted"]] == [date]


def test_of_a_name_used_again_the_newer_disk_is_taken_and_the_older_shown(old):
    before = old.end("kim", "again", at=100)
    old.delete("kim", "again", at=110)
    newer = old.end("kim", "again", at=120)

    assert snapshots(old, disk="again") == found(newer, deleted=[before])


def test_where_a_name_used_again_is_marked_whole_the_date_tells_which_is_of_the_newer_disk(old):
    """As the page says it: what was taken later than 30 days before the date is of the disk that was made again."""
    before = old.end("kim", "again", at=100)
    old.delete("kim", "again", at=110)
    newer = old.end("kim", "again", at=120)
    old.delete("kim", "again", at=110)

    assert snapshots(old, disk="again") == found(None, deleted=[newer, before])
    words = [word.replace("Values=work", "Values=again") for word in shown("describe-snapshots")]
    after = {
        each["id"]: dt.datetime.fromisoformat(each["taken"]).date() > dt.date.fromisoformat(each["deleted"]) - 30 * DAY
        for each in run(old.ec2, words)["deleted"]
    }
    assert after == {newer: True, before: False}


@pytest.mark.parametrize(("volume", "said"), [("vol-0a1b2c3d4e5f60718", "standard"), (NO_VOLUME, None)])
def test_a_scanners_copy_with_all_tags_is_shown_and_never_taken_for_newer(old, volume, said):
    last = old.end("kim", "work", at=200)
    copy = old.copy(last, at=300, volume=volume, said=said)

    assert snapshots(old) == found(last, copies=[copy])


def test_a_renamed_disk_has_its_new_name_on_snapshots_alone(old):
    last = old.end("kim", "former", at=200)
    left = old.start("kim", "former")
    old.rename([last], "newname")

    assert snapshots(old, disk="newname") == found(last)
    assert snapshots(old, disk="former") == found(None)
    assert volumes(old)[left]["disk"] == "former"


def test_a_volume_that_a_cancelled_box_left_is_shown_as_that_of_the_snapshot(old):
    left = old.start("kim", "work")
    old.save("kim", "work", left, at=200)
    theirs = old.start("lee", "work")

    assert run(old.ec2, shown("describe-snapshots"))["take"]["of"] == left
    assert set(volumes(old)) == {left}
    assert volumes(old)[left]["state"] == "available"
    made = run(old.ec2, fill(shown("create-snapshot"), vol=left))
    assert (made["VolumeId"], made["Tags"]) == (left, [])
    old.ec2.delete_snapshot(SnapshotId=made["SnapshotId"])
    assert theirs not in volumes(old)


def test_a_volume_that_a_box_still_has_is_shown_in_use(old, cloud):
    volume = old.start("kim", "work")
    asked = {"VolumeId": volume, "InstanceId": cloud.instance}
    old.ec2.attach_volume(Device="/dev/sdg", **asked)

    assert volumes(old)[volume]["state"] == "in-use"
    old.ec2.detach_volume(**asked)


def test_the_volume_for_the_helper_is_of_that_snapshot_and_nobodys(old, cloud, storage):
    last = old.end("kim", "work", at=200)
    words = fill(shown("create-volume"), snap=last)
    zone = words.index("--availability-zone") + 1

    made = run(old.ec2, [*words[:zone], cloud.zone, *words[zone + 1 :]])
    attached = run(old.ec2, fill(shown("attach-volume"), vol=made["VolumeId"], i=cloud.instance))

    assert (made["SnapshotId"], made["VolumeType"], made.get("Tags") or []) == (last, "gp3", [])
    assert (attached["VolumeId"], attached["InstanceId"]) == (made["VolumeId"], cloud.instance)
    assert made["VolumeId"] not in volumes(old)
    assert storage.list_volumes() == ()
    old.ec2.detach_volume(VolumeId=made["VolumeId"], InstanceId=cloud.instance)
    old.ec2.delete_volume(VolumeId=made["VolumeId"])


_TAKEN = st.builds(
    lambda number, at, state, deleted, copied: {
        "SnapshotId": f"snap-{number}",
        "StartTime": f"2025-03-{at:02}",
        "VolumeId": NO_VOLUME if copied else "vol-1",
        "State": state,
        "Tags": [{"Key": "disk_name", "Value": "work"}] + [{"Key": "delete-date", "Value": "2025-05-01"}] * deleted,
    },
    st.integers(0, 10**6), st.integers(1, 28), st.sampled_from(["completed", "pending", "error"]), st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(_TAKEN, max_size=8, unique_by=(lambda each: each["StartTime"], lambda each: each["SnapshotId"])))
def test_whatever_there_is_nothing_that_may_be_taken_is_newer_and_nothing_else_is_hidden(there):
    words = shown("describe-snapshots")
    said = jmespath.search(words[words.index("--query") + 1], {"Snapshots": there})

    usable = [
        each
        for each in there
        if each["State"] == "completed" and len(each["Tags"]) == 1 and each["VolumeId"] == "vol-1"
    ]
    newest = max(usable, key=lambda each: each["StartTime"], default=None)
    assert (said["take"] or {}).get("id") == (newest or {}).get("SnapshotId")
    left = {each["SnapshotId"] for each in there} - {each["SnapshotId"] for each in usable}
    assert {each["id"] for row in ROWS[1:] for each in said[row]} == left


def test_what_the_old_system_has_is_neither_listed_nor_changed_nor_deleted(
    old, cloud, storage, make, context, spec, volume, snapshot, weather, computes
):
    """The whole life of a disk of ours, in an account full of theirs."""
    old.save("kim", "work", old.start("kim", "work"), at=200, state="pending")
    old.delete("kim", "other", at=210)
    image = cloud.ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    kind = [{"ResourceType": "instance", "Tags": [{"Key": "gpu-dev-user", "Value": "kim"}]}]
    theirs = cloud.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=kind)
    before = old.everything()
    handles = {each["VolumeId"] for each in before["volumes"]} | {each["SnapshotId"] for each in before["snapshots"]}
    handles.add(theirs["Instances"][0]["InstanceId"])

    restored = attrs.evolve(spec, volume_id=uuid.uuid4())
    handle = storage.create_volume_from_snapshot(restored, snapshot)
    seen = [*storage.list_volumes(), *storage.list_snapshots(), *make(context).list_volumes()]
    listed = [each.id for each in computes(context).list_instances()]
    for each in (volume, attrs.evolve(volume, volume_id=restored.volume_id, handle=handle)):
        storage.delete_volume(each)
    storage.delete_snapshot(snapshot)

    assert old.everything() == before
    assert {each.handle for each in seen} == {volume.handle, handle, snapshot.handle}
    assert not [each for each in listed if each.rpartition("/")[2] in handles]
    assert not [asked for _, asked in weather.asked if handles & set(asked.values())]
    cloud.ec2.terminate_instances(InstanceIds=[theirs["Instances"][0]["InstanceId"]])


def test_not_even_by_its_handle_is_a_volume_of_the_old_system_ours(old, storage, volume):
    theirs = attrs.evolve(volume, handle=old.start("kim", "work"))
    before = old.everything()

    storage.get_volume(theirs)
    with pytest.raises(TryLater, match="has not our tags any more"):
        storage.delete_volume(theirs)

    assert old.everything() == before
