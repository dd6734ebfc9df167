"""Shares on EFS: the laws over moto, and what only EFS itself does, put in front of it."""

from __future__ import annotations

import json
import uuid

import attrs
import pytest

from gpudev_aws.shared import EfsShares
from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.errors import MissingAbility, TryLater, Unworkable
from gpudev_sdk.providers.shares import ShareRef, ShareSpec
from gpudev_sdk.testing import SharedStorageContract


class Shares(EfsShares):
    def __init__(self, settings, context, session):
        self.session, self._settings, self._install = session, settings, context.install_id


@pytest.fixture
def file_system(hand):
    return hand("efs").create_file_system(CreationToken=uuid.uuid4().hex)["FileSystemId"]


@pytest.fixture
def make(build, file_system):
    def storage(context, **changes):
        return build(Shares, context, **({"shared_file_system": file_system} | changes))

    return storage


@pytest.fixture
def shares(make, context):
    return make(context, tags={"team": "lab"})


@pytest.fixture
def spec():
    return ShareSpec(share_id=uuid.uuid4(), owner_number=7, zone="us-east-1a")


class TestLaws(SharedStorageContract):
    @pytest.fixture
    def shares(self, make, context):
        return make(context)

    @pytest.fixture
    def other_shares(self, make, other_context):
        return make(other_context)


def points(hand, file_system):
    return hand("efs").describe_access_points(FileSystemId=file_system)["AccessPoints"]


def test_a_share_is_a_directory_of_its_own_that_belongs_to_its_owner(shares, spec, context, hand, file_system):
    handle = shares.create_share(spec)

    (made,) = points(hand, file_system)
    assert made["AccessPointId"] == handle
    assert made["ClientToken"] == str(spec.share_id)
    assert made["PosixUser"] == {"Uid": 100007, "Gid": 100007}
    assert made["RootDirectory"] == {
        "Path": f"/gpudev/{context.install_id}/{spec.share_id}",
        "CreationInfo": {"OwnerUid": 100007, "OwnerGid": 100007, "Permissions": "0700"},
    }
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {
        "Name": f"gpudev share {spec.share_id}",
        "gpudev:install": str(context.install_id),
        "gpudev:owner": "7",
        "gpudev:share": str(spec.share_id),
        "team": "lab",
    }


def test_a_mount_names_file_system_and_access_point_as_the_driver_takes_them(shares, spec, file_system):
    handle = shares.create_share(spec)

    mount = shares.mount_share(ShareRef(share_id=spec.share_id))

    assert (mount.kind, mount.source) == (MountKind.CSI, f"efs.csi.aws.com/{file_system}::{handle}")


def test_a_handle_of_something_else_is_not_believed(shares, spec, hand, file_system):
    handle = shares.create_share(spec)
    strange = hand("efs").create_access_point(ClientToken="strange", FileSystemId=file_system)["AccessPointId"]

    for wrong in (strange, "fsap-00000000000000000"):
        assert shares.get_share(ShareRef(share_id=spec.share_id, handle=wrong)).handle == handle
    assert shares.get_share(ShareRef(share_id=uuid.uuid4(), handle=handle)).presence == "absent"


def test_a_share_of_another_file_system_is_none_of_this_backend(shares, make, context, spec, hand):
    handle = shares.create_share(spec)
    other = make(
        context, shared_file_system=hand("efs").create_file_system(CreationToken=uuid.uuid4().hex)["FileSystemId"]
    )

    assert other.get_share(ShareRef(share_id=spec.share_id, handle=handle)).presence == "absent"


def answer(status, **plain):
    headers = {"content-type": "application/json"}
    if "ErrorCode" in plain:
        headers["x-amzn-errortype"] = plain["ErrorCode"]
    return status, json.dumps(plain).encode(), headers


def test_a_share_that_is_being_made_elsewhere_is_looked_for_again(shares, spec, interfere):
    client = shares.session.client("efs")
    taken = answer(409, ErrorCode="AccessPointAlreadyExists", Message="no", AccessPointId="fsap-0")
    interfere(client, "efs.CreateAccessPoint", lambda request: taken)

    with pytest.raises(TryLater, match="making the share already"):
        shares.create_share(spec)


def test_a_share_whose_making_was_not_answered_is_found_again(shares, spec, interfere, hand, file_system):
    seen = []

    def lost(request):
        if not seen:
            seen.append(hand("efs")._endpoint.http_session.send(request))
        return answer(500, ErrorCode="InternalServerError", Message="no")

    interfere(shares.session.client("efs"), "efs.CreateAccessPoint", lost)
    with pytest.raises(TryLater):
        shares.create_share(spec)

    assert shares.create_share(spec) == points(hand, file_system)[0]["AccessPointId"]
    assert len(points(hand, file_system)) == 1


@pytest.mark.parametrize(("state", "presence", "ready"), [("creating", "present", False), ("deleted", "absent", False)])
def test_a_share_is_ready_when_efs_says_that_it_is_available(
    shares, spec, interfere, hand, file_system, state, presence, ready
):
    handle = shares.create_share(spec)
    shown = [point | {"LifeCycleState": state} for point in points(hand, file_system)]
    interfere(shares.session.client("efs"), "efs.DescribeAccessPoints", lambda request: answer(200, AccessPoints=shown))

    seen = shares.get_share(ShareRef(share_id=spec.share_id, handle=handle))

    assert (seen.presence, seen.ready) == (presence, ready)
    with pytest.raises((TryLater, Unworkable)):
        shares.mount_share(ShareRef(share_id=spec.share_id))


def test_an_efs_that_does_not_answer_is_not_an_absent_share(shares, spec, interfere):
    handle = shares.create_share(spec)
    broken = answer(500, ErrorCode="InternalServerError", Message="no")
    interfere(shares.session.client("efs"), "efs.DescribeAccessPoints", lambda request: broken)

    assert shares.get_share(ShareRef(share_id=spec.share_id, handle=handle)).presence == "unknown"
    for call in (shares.list_shares, lambda: shares.delete_share(ShareRef(share_id=spec.share_id))):
        with pytest.raises(TryLater):
            call()


def test_a_list_is_whole_however_many_pages_it_has(shares, spec, interfere, hand, file_system):
    first, second = spec, attrs.evolve(spec, share_id=uuid.uuid4())
    for each in (first, second):
        shares.create_share(each)
    one, other = points(hand, file_system)

    def paged(request):
        if "NextToken" in request.url:
            return answer(200, AccessPoints=[other])
        return answer(200, AccessPoints=[one], NextToken="more")

    interfere(shares.session.client("efs"), "efs.DescribeAccessPoints", paged)
    assert {each.share_id for each in shares.list_shares()} == {first.share_id, second.share_id}


def test_without_a_file_system_it_is_said_what_to_set(build, context, spec):
    with pytest.raises(MissingAbility) as raised:
        build(Shares, context).create_share(spec)
    assert "`shared_file_system`" in raised.value.hint
