"""What an operator reads when something about AWS is wrong: each case that was tried, with its message and next step."""

from __future__ import annotations

import socket

import attrs
import pytest

from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable

DENIED = (
    "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/gpudev/i is not authorized to "
    "perform: ec2:CreateVolume on resource: arn:aws:ec2:us-east-1:1:volume/* because no identity-based policy allows the "
    "ec2:CreateVolume action. Encoded authorization failure message: XYZ"
)


@pytest.fixture
def said(make, context, spec, settings):
    """Return what making a volume says: the error, with settings that may be others."""

    def make_one(chosen=None):
        with pytest.raises((TryLater, NoCapacity, Unworkable)) as caught:
            make(context, chosen).create_volume(spec)
        return caught.value

    return make_one


def test_without_credentials_it_says_how_to_get_some(said, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    error = said()

    assert isinstance(error, TryLater)
    assert error.message == "there are no credentials for AWS, so we cannot see the volumes"
    assert "IRSA" in error.hint
    assert error.delay == 30


def test_with_a_profile_that_is_not_there_it_says_so_too(said, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "no credentials" in said().message


@pytest.mark.parametrize("code", ["RequestExpired", "ExpiredToken", "ExpiredTokenException"])
def test_expired_credentials_are_told_from_wrong_ones(said, weather, code):
    weather.refuse["*"] = [(400, code, "Request has expired.")]

    assert said().message == "our credentials for AWS have expired, so we cannot see the volumes"


def test_wrong_credentials_are_said(said, weather):
    weather.refuse["*"] = [(401, "AuthFailure", "AWS was not able to validate the provided access credentials")]

    error = said()

    assert error.message.startswith("AWS does not know our credentials")
    assert isinstance(error, TryLater)


@pytest.mark.parametrize(
    ("ahead", "code"), [(600, "AuthFailure"), (-600, "RequestExpired"), (600, "SignatureDoesNotMatch")]
)
def test_a_clock_ten_minutes_wrong_is_told_from_wrong_credentials(said, weather, ahead, code):
    weather.ahead = ahead
    weather.refuse["*"] = [(401, code, "whatever")]

    error = said()

    assert (
        error.message
        == "the clock of this machine is wrong by 10 minutes, so AWS refuses all we sign: cannot see the volumes"
    )
    assert "timedatectl" in error.hint


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"])
def test_a_permission_that_is_missing_is_named(said, weather, code):
    weather.refuse["CreateVolume"] = [(403, code, DENIED)]

    error = said()

    assert error.message == "AWS does not allow us to make the volume: the permission ec2:CreateVolume is missing"
    assert error.hint.startswith("Allow ec2:CreateVolume to the role")
    assert isinstance(error, TryLater)


def test_a_permission_is_named_also_where_aws_does_not(said, weather):
    weather.refuse["DescribeVolumes"] = [
        (403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
    ]

    assert "the permission ec2:DescribeVolumes is missing" in said().message


def test_throttled_for_a_minute_it_calls_less_and_goes_on_afterwards(make, context, spec, weather, settings, passing):
    storage = make(context, attrs.evolve(settings, calls_per_second=901.0))
    weather.refuse["*"], weather.lasting = [(503, "RequestLimitExceeded", "Request limit exceeded.")], True
    for _ in range(6):
        with pytest.raises(TryLater) as caught:
            storage.create_volume(spec)
        passing(10)
    assert "too often" in caught.value.message
    assert caught.value.delay == 5

    weather.refuse.clear()
    passing(60)

    assert storage.create_volume(spec).startswith("vol-")


def test_an_endpoint_that_is_down_is_said_with_what_to_look_at(said, settings):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = said(attrs.evolve(settings, endpoint=f"http://127.0.0.1:{port}"))

    assert error.message == "AWS does not answer, so we cannot see the volumes"
    assert "`region`" in error.hint
    assert error.delay <= 5


def test_a_region_that_there_is_not_is_said(said, settings, monkeypatch):
    asked = []

    def no_such_name(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = said(attrs.evolve(settings, region="xx-nowhere-9", endpoint=""))

    assert set(asked) == {"ec2.xx-nowhere-9.amazonaws.com"}
    assert isinstance(error, TryLater)
    assert error.message == "AWS does not answer, so we cannot see the volumes"
    assert "`region`" in error.hint


def test_a_region_that_the_account_has_not_enabled_is_said(said, weather):
    weather.refuse["*"] = [(401, "OptInRequired", "You are not subscribed to this service.")]

    assert "Enable the region" in said().hint


@pytest.mark.parametrize("code", ["VolumeLimitExceeded", "MaxIOPSLimitExceeded"])
def test_a_used_up_quota_leaves_the_request_in_line_and_says_what_to_ask_for(said, weather, code):
    weather.refuse["CreateVolume"] = [
        (400, code, "You have exceeded your maximum gp3 storage limit of 50 TiB in this region.")
    ]

    error = said()

    assert isinstance(error, NoCapacity)
    assert error.message.startswith(
        "a quota of the AWS account is used up, so we cannot make the volume: You have exceeded"
    )
    assert "Service Quotas" in error.hint


def test_a_used_up_quota_of_snapshots_is_said(storage, taking, weather):
    weather.refuse["CreateSnapshot"] = [(400, "SnapshotLimitExceeded", "The maximum is 100000.")]

    with pytest.raises(NoCapacity, match="a quota of the AWS account"):
        storage.create_snapshot(taking)


def test_snapshots_of_a_volume_too_soon_after_each_other_are_tried_again(storage, taking, weather):
    weather.refuse["CreateSnapshot"] = [(400, "SnapshotCreationPerVolumeRateExceeded", "15 seconds")]

    with pytest.raises(TryLater):
        storage.create_snapshot(taking)
    assert storage.create_snapshot(taking).startswith("snap-")


def test_a_volume_in_another_zone_says_both_zones_and_what_to_do(storage, spec, volume, cloud, hand):
    elsewhere = cloud.zone[:-1] + ("b" if cloud.zone[-1] != "b" else "c")

    with pytest.raises(Unworkable) as caught:
        storage.create_volume(attrs.evolve(spec, zone=elsewhere))

    assert caught.value.message == f"{volume.handle} is in {cloud.zone}, and the box would be in {elsewhere}"
    assert cloud.zone in caught.value.hint
    assert "restore a snapshot" in caught.value.hint


def test_a_node_whose_instance_is_gone_is_no_room_and_one_of_a_name_of_its_own_is_said(storage, spec):
    with pytest.raises(NoCapacity, match="no instance of the node"):
        storage.create_volume(attrs.evolve(spec, node="ip-10-9-9-9.ec2.internal"))
    with pytest.raises(Unworkable, match="in which zone") as caught:
        storage.create_volume(attrs.evolve(spec, node="big-one"))
    assert "private DNS name" in caught.value.hint


def test_a_snapshot_deleted_by_hand_is_said_and_nothing_is_made(storage, spec, snapshot, cloud, context, passing):
    cloud.ec2.delete_snapshot(SnapshotId=snapshot.handle)
    again = attrs.evolve(spec, volume_id=spec.disk_id)
    assert storage.get_snapshot(snapshot).presence == "unknown"
    with pytest.raises(TryLater, match="may just not show it yet"):
        storage.create_volume_from_snapshot(again, snapshot)
    passing(31)
    assert storage.get_snapshot(snapshot).presence == "absent"

    with pytest.raises(Unworkable) as caught:
        storage.create_volume_from_snapshot(again, snapshot)

    assert caught.value.message == f"the snapshot {snapshot.handle} is not there: somebody deleted it"
    assert "gpudev disk snapshots" in caught.value.hint
    assert len(cloud.volumes(context.install_id)) == 1


def test_an_error_of_kms_names_the_setting(said, weather):
    weather.refuse["CreateVolume"] = [(400, "InvalidKmsKey.NotFound", "The key does not exist.")]

    error = said()

    assert isinstance(error, Unworkable)
    assert "`kms_key`" in error.hint


def test_trouble_of_any_kind_is_unknown_when_looked_at_and_never_absent(storage, volume, snapshot, weather):
    weather.lasting = True
    for code in ("RequestLimitExceeded", "UnauthorizedOperation", "InternalError", "SomethingNew", "AuthFailure"):
        weather.refuse["*"] = [(400, code, "no")]

        seen = [
            storage.get_volume(attrs.evolve(volume, handle=None)),
            storage.get_volume(volume),
            storage.get_snapshot(snapshot),
        ]

        assert {each.presence for each in seen} == {"unknown"}
        assert all(each.reason for each in seen)


def test_a_list_that_breaks_off_is_an_error_and_not_a_part(storage, volume, weather):
    more = b"</volumeSet><nextToken>2</nextToken>"
    weather.replace["DescribeVolumes"] = lambda content: content.replace(b"</volumeSet>", more)
    weather.refuse["DescribeVolumes"] = [None, (503, "InternalError", "no"), (503, "InternalError", "no")]
    calls = weather.count("DescribeVolumes")

    with pytest.raises(TryLater):
        storage.list_volumes()
    assert weather.count("DescribeVolumes") == calls + 3


def test_a_page_of_a_proxy_is_no_answer(storage, volume, weather):
    weather.replace["DescribeVolumes"] = lambda content: b"<html>Sign in to the wireless network</html>"

    assert storage.get_volume(VolumeRef(volume_id=volume.volume_id, disk_id=volume.disk_id)).presence == "unknown"
    with pytest.raises(TryLater):
        storage.list_volumes()


def test_a_page_of_a_proxy_does_not_say_that_a_volume_is_deleted(storage, volume, weather):
    weather.replace["DeleteVolume"] = lambda content: b"<html>Sign in to the wireless network</html>"

    with pytest.raises(TryLater, match="something else than AWS"):
        storage.delete_volume(volume)


def test_a_zone_of_another_cloud_or_region_is_refused_before_anything_is_made(storage, spec, weather):
    for zone in ("us-central1-a", "us-east-2a"):
        with pytest.raises(Unworkable, match=f"'{zone}' is no zone of us-east-1"):
            storage.create_volume(attrs.evolve(spec, zone=zone))

    assert weather.count("CreateVolume") == 0
