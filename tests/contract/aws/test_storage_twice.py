"""Asking twice is asking once, whatever became of the first answer; and tags, which anybody may copy or remove."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotState
from gpudev_sdk.errors import Conflict, TryLater, Unworkable


def handles(found, key="VolumeId"):
    return {each[key] for each in found}


def test_a_volume_whose_answer_was_lost_is_found_and_not_made_again(storage, spec, weather, cloud, context):
    weather.lose["CreateVolume"] = 2
    with pytest.raises(TryLater, match="not known whether"):
        storage.create_volume(spec)

    handle = storage.create_volume(spec)

    assert handles(cloud.volumes(context.install_id)) == {handle}
    assert weather.count("CreateVolume") == 2


def test_a_volume_that_is_not_shown_yet_is_not_made_again_because_of_its_token(make, context, spec, weather, cloud):
    first = make(context).create_volume(spec)
    empty = b"<DescribeVolumesResponse><requestId>r</requestId><volumeSet/></DescribeVolumesResponse>"
    weather.replace["DescribeVolumes"] = lambda content: empty

    assert make(context).create_volume(spec) == first
    assert len(cloud.volumes(context.install_id)) == 1


def test_a_volume_that_was_made_and_is_not_shown_is_unknown_for_a_while_and_then_absent(
    storage, volume, cloud, passing
):
    cloud.ec2.delete_volume(VolumeId=volume.handle)

    assert storage.get_volume(volume).presence == "unknown"
    assert [seen.presence for seen in storage.list_volumes()] == ["unknown"]
    passing(20)
    assert storage.get_volume(volume).presence == "unknown"
    passing(20)
    assert storage.get_volume(volume).presence == "absent"
    assert storage.list_volumes() == ()


def test_another_process_too_doubts_that_a_volume_with_a_handle_is_gone(make, context, volume, cloud, passing):
    cloud.ec2.delete_volume(VolumeId=volume.handle)
    other = make(context)

    assert other.get_volume(volume).presence == "unknown"
    passing(31)
    assert other.get_volume(volume).presence == "absent"


def test_a_volume_that_ebs_made_and_took_away_is_said_and_then_made_with_another_token(
    make, context, spec, volume, cloud, passing
):
    cloud.ec2.delete_volume(VolumeId=volume.handle)
    other = make(context)
    assert other.get_volume(volume).presence == "unknown"
    with pytest.raises(TryLater):
        other.create_volume(spec)
    passing(31)
    # As the engine goes about it: it looks, and makes what is absent.
    assert other.get_volume(volume).presence == "absent"
    with pytest.raises(Unworkable, match=f"EBS made {volume.handle} and took it away") as caught:
        other.create_volume(spec)
    assert "kms_key" in caught.value.hint

    assert other.create_volume(spec) not in ("", volume.handle)


def test_a_snapshot_whose_answer_was_lost_is_found_and_not_taken_again(storage, taking, weather, cloud, context):
    weather.lose["CreateSnapshot"] = 1
    with pytest.raises(TryLater, match="not known whether"):
        storage.create_snapshot(taking)

    handle = storage.create_snapshot(taking)

    assert handles(cloud.snapshots(context.install_id), "SnapshotId") == {handle}
    assert weather.count("CreateSnapshot") == 1


def test_a_snapshot_whose_answer_was_lost_and_that_is_not_shown_yet_is_waited_for(storage, taking, weather, passing):
    weather.lose["CreateSnapshot"] = 1
    empty = b"<DescribeSnapshotsResponse><requestId>r</requestId><snapshotSet/></DescribeSnapshotsResponse>"
    weather.replace["DescribeSnapshots"] = lambda content: empty
    for _ in range(3):
        with pytest.raises(TryLater):
            storage.create_snapshot(taking)
        passing(9)
    assert weather.count("CreateSnapshot") == 1

    passing(31)

    assert storage.create_snapshot(taking).startswith("snap-")


def test_a_snapshot_that_was_refused_is_begun_again_at_once(storage, taking, weather):
    weather.refuse["CreateSnapshot"] = [(403, "UnauthorizedOperation", "no")]
    with pytest.raises(TryLater):
        storage.create_snapshot(taking)

    assert storage.create_snapshot(taking).startswith("snap-")


def test_a_snapshot_that_failed_with_an_error_of_aws_may_have_been_taken(storage, taking, weather):
    weather.refuse["CreateSnapshot"] = [(500, "InternalError", "no")]
    for message in ("trouble of its own", "may just not show it yet"):
        with pytest.raises(TryLater, match=message):
            storage.create_snapshot(taking)
    assert weather.count("CreateSnapshot") == 1


def test_a_snapshot_takes_its_time(storage, spec, snapshot, weather):
    weather.snapshot_state = "pending"
    assert storage.get_snapshot(snapshot).state is SnapshotState.PENDING
    assert storage.get_snapshot(snapshot).completed_at is None
    again = attrs.evolve(spec, volume_id=uuid.uuid4())
    with pytest.raises(TryLater, match="not complete yet"):
        storage.create_volume_from_snapshot(again, snapshot)

    weather.snapshot_state = ""

    assert storage.get_snapshot(snapshot).state is SnapshotState.COMPLETED
    assert storage.create_volume_from_snapshot(again, snapshot).startswith("vol-")


def test_a_snapshot_that_failed_says_so_and_nothing_is_made_of_it(storage, spec, snapshot, weather, cloud, context):
    weather.snapshot_state = "error"

    assert storage.get_snapshot(snapshot).state is SnapshotState.ERROR
    with pytest.raises(Unworkable, match="failed"):
        storage.create_volume_from_snapshot(attrs.evolve(spec, volume_id=uuid.uuid4()), snapshot)
    assert len(cloud.volumes(context.install_id)) == 1


def test_a_volume_takes_its_time(storage, volume, weather):
    weather.volume_state = "creating"

    seen = storage.get_volume(volume)

    assert (seen.presence, seen.ready, seen.reason) == ("present", False, "EBS is making it")
    with pytest.raises(TryLater, match="still being made"):
        storage.mount(volume)


def test_a_volume_that_failed_is_said_removed_and_made_anew(storage, spec, volume, weather, cloud, context):
    weather.volume_state = "error"
    seen = storage.get_volume(volume)
    assert seen.presence == "absent"
    assert "EBS says `error`" in seen.reason
    assert storage.list_volumes() == ()
    with pytest.raises(Unworkable, match="cannot be used"):
        storage.mount(volume)
    with pytest.raises(Unworkable, match=f"EBS could not make {volume.handle}"):
        storage.create_volume(spec)
    assert cloud.volumes(context.install_id) == []

    weather.volume_state = ""

    assert storage.create_volume(spec) != volume.handle


def test_tags_copied_by_someones_scanner_make_no_disk_of_the_copy(make, context, storage, volume, cloud):
    copy = cloud.copy_volume(volume.handle)

    # Whoever knows the handle, as our database does, is not misled.
    for each in (storage, make(context)):
        assert each.get_volume(volume).handle == volume.handle
        assert each.mount(volume).source == f"ebs.csi.aws.com/{volume.handle}"
    # Whoever does not, guesses nothing.
    other, bare = make(context), attrs.evolve(volume, handle=None)
    seen = other.get_volume(bare)
    assert seen.presence == "unknown"
    assert volume.handle in seen.reason and copy in seen.reason
    assert [each.presence for each in other.list_volumes()] == ["unknown"]
    for act in (other.mount, other.delete_volume):
        with pytest.raises(TryLater, match="which somebody copied") as caught:
            act(bare)
        assert "gpudev:volume" in caught.value.hint


def test_a_copys_tags_do_not_let_a_disk_live_on_nor_have_it_deleted(storage, volume, cloud, context):
    copy = cloud.copy_volume(volume.handle)

    storage.delete_volume(volume)

    assert handles(cloud.volumes(context.install_id)) == {copy}
    assert storage.get_volume(volume).presence == "absent"
    with pytest.raises(Unworkable, match="is gone"):
        storage.mount(volume)


def test_a_volume_with_the_tags_of_a_snapshot_is_no_disk(storage, volume, snapshot, cloud, make, context):
    (taken,) = cloud.snapshots(context.install_id)
    kind = [{"ResourceType": "volume", "Tags": taken["Tags"]}]
    cloud.ec2.create_volume(AvailabilityZone=cloud.zone, SnapshotId=snapshot.handle, TagSpecifications=kind)

    assert make(context).get_volume(attrs.evolve(volume, handle=None)).handle == volume.handle


def test_a_volume_whose_tags_were_removed_is_unknown_and_not_absent(storage, volume, cloud):
    cloud.ec2.delete_tags(Resources=[volume.handle], Tags=[{"Key": "gpudev:volume"}])

    seen = storage.get_volume(volume)

    assert seen.presence == "unknown"
    assert "has not our tags any more" in seen.reason


def test_only_our_own_accounts_snapshots_are_looked_at(storage, snapshot, weather):
    storage.get_snapshot(snapshot)
    storage.list_snapshots()

    owners = [asked.get("Owner.1") for action, asked in weather.asked if action == "DescribeSnapshots"]
    assert set(owners) == {"self"}


def test_a_copy_of_a_snapshot_is_never_taken_for_it(storage, volume, snapshot, cloud, context, make, hand):
    (taken,) = cloud.snapshots(context.install_id)
    kind = [{"ResourceType": "snapshot", "Tags": taken["Tags"]}]
    other = cloud.ec2.create_volume(AvailabilityZone=cloud.zone, Size=1)["VolumeId"]
    foreign = cloud.ec2.create_snapshot(VolumeId=other, TagSpecifications=kind)["SnapshotId"]
    bare = attrs.evolve(snapshot, handle=None)

    assert make(context).get_snapshot(bare).handle == snapshot.handle
    assert [seen.handle for seen in make(context).list_snapshots()] == [snapshot.handle]
    storage.delete_snapshot(snapshot)
    assert handles(cloud.snapshots(context.install_id), "SnapshotId") == {foreign}
    assert make(context).get_snapshot(bare).presence == "absent"


def test_a_later_snapshot_of_the_same_volume_with_its_tags_is_not_taken_for_it(snapshot, volume, cloud, context, make):
    (taken,) = cloud.snapshots(context.install_id)
    kind = [{"ResourceType": "snapshot", "Tags": taken["Tags"]}]
    later = cloud.ec2.create_snapshot(VolumeId=volume.handle, TagSpecifications=kind)["SnapshotId"]

    assert make(context).get_snapshot(snapshot).handle == snapshot.handle
    cloud.ec2.delete_snapshot(SnapshotId=snapshot.handle)
    assert make(context).get_snapshot(snapshot).presence == "unknown"
    assert make(context).get_snapshot(attrs.evolve(snapshot, handle=later)).handle == later


def test_a_volume_in_use_by_something_that_is_not_said_is_not_free(storage, volume, weather):
    weather.replace["DescribeVolumes"] = lambda content: content.replace(b">available<", b">in-use<")

    assert storage.get_volume(volume).attachments is None
    with pytest.raises(Conflict, match="something"):
        storage.delete_volume(volume)


def test_a_snapshot_that_two_processes_took_is_deleted_whole_and_a_copy_of_its_tags_is_not(
    storage, make, taking, context, cloud, weather
):
    first = storage.create_snapshot(taking)
    # EC2 does not show it to the other process yet.
    weather.replace["DescribeSnapshots"] = lambda content: b"<R><requestId>r</requestId><snapshotSet/></R>"
    second = make(attrs.evolve(context)).create_snapshot(taking)
    weather.replace.clear()
    (item,) = cloud.ec2.describe_snapshots(SnapshotIds=[first])["Snapshots"]
    kind = [{"ResourceType": "snapshot", "Tags": item["Tags"]}]
    copy = cloud.ec2.create_snapshot(VolumeId=item["VolumeId"], TagSpecifications=kind)["SnapshotId"]
    assert len({first, second}) == 2

    storage.delete_snapshot(SnapshotRef(snapshot_id=taking.snapshot_id, disk_id=taking.volume.disk_id, handle=first))

    assert [each["SnapshotId"] for each in cloud.snapshots(context.install_id)] == [copy]


def test_a_disk_taken_for_another_is_refused(storage, spec, volume, taking, snapshot):
    stranger = uuid.uuid4()
    for act in (
        lambda: storage.create_volume(attrs.evolve(spec, disk_id=stranger)),
        lambda: storage.delete_volume(attrs.evolve(volume, disk_id=stranger)),
        lambda: storage.create_snapshot(attrs.evolve(taking, volume=attrs.evolve(volume, disk_id=stranger))),
        lambda: storage.delete_snapshot(attrs.evolve(snapshot, disk_id=stranger)),
        lambda: storage.create_volume_from_snapshot(
            attrs.evolve(spec, volume_id=uuid.uuid4()), attrs.evolve(snapshot, disk_id=stranger)
        ),
    ):
        with pytest.raises(Unworkable, match="of another disk"):
            act()


def test_an_empty_volume_is_not_given_where_a_restored_one_is_asked_for(storage, spec, volume, snapshot):
    with pytest.raises(Unworkable, match="was not made of"):
        storage.create_volume_from_snapshot(spec, snapshot)


def test_a_thousand_volumes_are_listed_in_three_calls(storage, spec, weather, context):
    item = (
        "<item><volumeId>vol-{n:08x}</volumeId><size>1</size><availabilityZone>us-east-1a</availabilityZone>"
        "<status>available</status><attachmentSet/><tagSet><item><key>gpudev:install</key><value>{install}</value></item>"
        "<item><key>gpudev:volume</key><value>{id}</value></item></tagSet></item>"
    )
    pages = []
    for start, more in ((0, "<nextToken>2</nextToken>"), (500, "")):
        items = "".join(
            item.format(n=n, install=context.install_id, id=uuid.uuid4()) for n in range(start, start + 500)
        )
        pages.append(f"<R><requestId>r</requestId><volumeSet>{items}</volumeSet>{more}</R>".encode())
    weather.replace["DescribeVolumes"] = lambda content: pages.pop(0)

    assert len(storage.list_volumes()) == 1000
    assert weather.count("DescribeVolumes") == 2
